"""Pure decisions of replication: events, their batches, lanes, quorums, conflicts."""
