"""Tests of the HTTP server and the processes of a node."""
