"""Counters of the S3 endpoint, which lives in one process."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("rs3gw_s3_requests_total", "S3 requests answered.", ["operation", "status"])
SECONDS = Histogram(
    "rs3gw_s3_request_seconds",
    "Time from a request's head to the head of its answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
