"""The harness of `make s3-clients`, without a client."""
