"""Objects on this node: buckets, index entries, bodies. Knows nothing of clusters."""
