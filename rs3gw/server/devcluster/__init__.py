"""A whole cluster on one machine, for trying things out and for tests."""
