"""The console: what an operator sees and does, in the admin, the status API and the metrics."""
