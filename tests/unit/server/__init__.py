"""Tests of the HTTP parser and of development clusters as values."""
