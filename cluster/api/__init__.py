"""The REST API of the membership."""
