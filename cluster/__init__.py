"""Who is in the cluster and who is alive; knows nothing of objects."""
