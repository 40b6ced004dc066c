"""Real nodes as processes on loopback, driven by the S3 clients that people use."""
