"""Counters of the S3 endpoint, which lives in one process."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("rs3gw_s3_requests_total", "S3 requests answered.", ["operation", "status"])
SECONDS = Histogram(
    "rs3gw_s3_request_seconds",
    "Time from a request's head to the head of its answer.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SHED = Counter(
    "rs3gw_shed_requests_total", "S3 requests answered 503 because too many came.", ["reason"]
)
for _reason in ("full", "waited"):
    SHED.labels(_reason)
IN_FLIGHT = Gauge("rs3gw_requests_in_flight", "S3 requests that are being answered.")
WAITING = Gauge("rs3gw_requests_waiting", "S3 requests that wait for their turn.")
PRESSED = Counter(
    "rs3gw_backpressure_writes_total", "Writes that a backlog held back or refused.", ["action"]
)
for _action in ("delayed", "refused"):
    PRESSED.labels(_action)
