"""One cluster for the lane: three nodes in us-east-1 in quorum mode, one in eu-west-1."""

import itertools
from pathlib import Path

import pytest

from tests.probe.cluster import DevCluster

# Quiet measurements first, broken nodes last.
ORDER = [
    "test_idle",
    "test_clients",
    "test_admin",
    "test_replication",
    "test_arrival",
    "test_multipart",
    "test_tls",
    "test_bodies",
    "test_flow",
    "test_memory",
    "test_faults",
    "test_life",
    "test_forgetting",
    "test_real_servers",
]
# Regions of their own that are broken in many ways: `make probe` runs them, CI does not.
SLOW = frozenset({"test_bodies", "test_flow", "test_forgetting", "test_life"})
_numbers = itertools.count(1)


def _rank(item):
    name = Path(item.path).stem
    return ORDER.index(name) if name in ORDER else len(ORDER)


def pytest_collection_modifyitems(items):
    """Mark and order the tests of this directory, and leave all others where they are."""
    here = Path(__file__).parent
    places = [index for index, item in enumerate(items) if here in Path(item.path).parents]
    ordered = sorted((items[index] for index in places), key=_rank)
    for index, item in zip(places, ordered, strict=True):
        item.add_marker(pytest.mark.probe)
        if Path(item.path).stem in SLOW:
            item.add_marker(pytest.mark.slow)
        items[index] = item


@pytest.fixture(scope="session")
def cluster():
    with DevCluster() as running:
        yield running


@pytest.fixture
def east(cluster):
    """The three nodes of us-east-1."""
    return cluster.in_region("us-east-1")


@pytest.fixture
def west(cluster):
    """The node of eu-west-1."""
    return cluster.in_region("eu-west-1")[0]


@pytest.fixture
def bucket(cluster, east):
    """A bucket of this test's own, made on the first node."""
    name = f"probe-{next(_numbers)}"
    cluster.s3(east[0]).create_bucket(Bucket=name)
    return name
