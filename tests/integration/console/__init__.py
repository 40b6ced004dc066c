"""The console on a test database."""
