"""S3 programs and libraries of others, each taken through the same steps."""
