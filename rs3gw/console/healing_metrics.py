"""Metrics of bodies: where they lie, whether they are whole, and what is done about it."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from replication.healing import report


def families() -> Iterator[Metric]:
    """Return all families with the values of now."""
    found = report.summary()
    gauges = (
        ("rs3gw_healing_missing_bodies", "Bodies to be fetched.", found.missing.bodies),
        ("rs3gw_healing_missing_bytes", "Their bytes.", found.missing.size_bytes),
        ("rs3gw_healing_lost_bodies", "Bodies that no node that answered had.", found.lost),
        ("rs3gw_healing_suspect_bodies", "Bodies to be read and compared.", found.suspects),
        ("rs3gw_damaged_bodies", "Damaged bodies without a good copy here.", found.damaged),
        ("rs3gw_placement_violations", "What placement cannot keep.", len(found.violations)),
        (
            "rs3gw_placement_rebuild_withheld",
            "1 when failed members are not rebuilt because this node may be cut off.",
            float(bool(found.withheld)),
        ),
        (
            "rs3gw_scrub_finished_timestamp_seconds",
            "When the last whole scrub ended, 0 before the first.",
            report.last_scrub_at(),
        ),
    )
    for name, text, value in gauges:
        yield GaugeMetricFamily(name, text, value=value)
    yield from _jobs()
    yield from _counts()


def _jobs() -> Iterator[Metric]:
    family = GaugeMetricFamily("rs3gw_healing_jobs", "Open jobs.", labels=["kind", "state"])
    for (kind, state), count in report.open_job_counts().items():
        family.add_metric([kind, state], count)
    yield family


def _counts() -> Iterator[Metric]:
    labels = ["what"]
    bodies = CounterMetricFamily("rs3gw_healing_bodies", "Bodies seen to.", labels=labels)
    size_bytes = CounterMetricFamily("rs3gw_healing_bytes", "Their bytes.", labels=labels)
    for name, load in report.counts().items():
        bodies.add_metric([name], load.bodies)
        size_bytes.add_metric([name], load.size_bytes)
    yield from (bodies, size_bytes)
