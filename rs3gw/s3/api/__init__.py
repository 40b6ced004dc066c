"""REST API of access keys."""
