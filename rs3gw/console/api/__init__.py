"""REST API of the console: the state of the cluster, buckets, tokens, and how errors are told."""
