"""Pure parts of the S3 protocol."""
