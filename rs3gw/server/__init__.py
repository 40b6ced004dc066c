"""The processes of a node: web server, worker, embedded broker; and clusters for development."""
