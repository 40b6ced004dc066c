"""Finding out what two nodes do not share, and healing it.

`gaps` closes what a writer that is gone left behind; `scan` sums up this node's index; `compare`
asks a peer for its sums, finds the differing keys and joins what either lacks; `runs` keeps the
outcome for people.
"""
