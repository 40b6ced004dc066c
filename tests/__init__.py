"""Tests of rs3gw."""
