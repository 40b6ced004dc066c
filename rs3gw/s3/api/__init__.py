"""REST API of users and access keys."""
