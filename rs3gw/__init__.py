"""rs3gw: an S3-compatible object store for several nodes and regions."""
