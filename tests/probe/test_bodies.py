"""Five real nodes keep three undamaged copies of each body, whatever becomes of one of them."""

import hashlib
from pathlib import Path

import pytest

from tests.probe.cluster import DevCluster, wait_until
from tests.probe.objects import body_of, put_many, read

COPIES = 3
BODIES = 40
BODY_BYTES = 200_000
SETTINGS = {
    "RS3GW_HEAL_INTERVAL": "500ms",
    "RS3GW_AUDIT_INTERVAL": "2s",
    "RS3GW_BLOB_GRACE": "1s",
    "RS3GW_REBUILD_AFTER_SECONDS": "5s",
    "RS3GW_HEARTBEAT_INTERVAL": "1s",
    "RS3GW_HEARTBEAT_TIMEOUT": "4s",
    "RS3GW_SCRUB_TRANQUILITY": "0",
    "RS3GW_WORKER_THREADS": "4",
}
SETTLE_SECONDS = 90
KEYS = [f"{number:03}" for number in range(BODIES)]


def is_sound(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() == path.name


class Bodies:
    """The bodies that were written, and where they lie."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.bodies = {key: body_of(key, BODY_BYTES) for key in KEYS}
        self.names = {hashlib.sha256(body).hexdigest() for body in self.bodies.values()}

    def places(self, nodes):
        """Return {name: node ids} of the files on these nodes."""
        found = {name: set() for name in self.names}
        for node in nodes:
            for path in Path(node["env"]["RS3GW_DATA_DIR"]).glob("blobs/*/*"):
                if path.name in found:
                    found[path.name].add(node["node_id"])
        return found

    def wait_settled(self, nodes, copies=COPIES):
        """Wait until each body lies on exactly so many of these nodes."""

        def counts():
            return sorted({len(node_ids) for node_ids in self.places(nodes).values()})

        wait_until(
            lambda: counts() == [copies], SETTLE_SECONDS, f"each body on {copies} of {len(nodes)}"
        )

    def files_on(self, node):
        blobs = Path(node["env"]["RS3GW_DATA_DIR"]) / "blobs"
        return sorted(path for path in blobs.glob("*/*") if path.name in self.names)


@pytest.fixture(scope="module")
def five():
    words = ["--replication-factor", str(COPIES)]
    with DevCluster(topology="us-east-1:5", mode="async", words=words, settings=SETTINGS) as run:
        run.wait_healthy()
        yield run


@pytest.fixture(scope="module")
def written(five):
    s3 = five.s3(five.nodes[0])
    s3.create_bucket(Bucket="bodies")
    found = Bodies(five)
    put_many(s3, "bodies", found.bodies)
    return found


def all_readable(cluster, node, written):
    s3 = cluster.s3(node)
    return all(read(s3, "bodies", key) == body for key, body in written.bodies.items())


def test_each_body_settles_on_as_many_nodes_as_it_should(five, written):
    written.wait_settled(five.nodes)
    holding = {node_id for node_ids in written.places(five.nodes).values() for node_id in node_ids}
    assert len(holding) == len(five.nodes)
    for node in five.nodes:
        assert all_readable(five, node, written)


def test_a_damaged_body_is_never_served_and_is_repaired(five, written):
    written.wait_settled(five.nodes)
    node = five.nodes[1]
    rotten, cut, gone = written.files_on(node)[:3]
    data = bytearray(rotten.read_bytes())
    data[1000] ^= 1
    rotten.write_bytes(data)
    cut.write_bytes(cut.read_bytes()[:5000])
    gone.unlink()
    s3 = five.s3(node)
    for key, body in written.bodies.items():
        if hashlib.sha256(body).hexdigest() in {cut.name, gone.name}:
            assert read(s3, "bodies", key) == body

    five.api(node, "POST", "/api/cluster/healing/jobs", {"kind": "scrub"})

    wait_until(
        lambda: all(path.exists() and is_sound(path) for path in (rotten, cut, gone)),
        SETTLE_SECONDS,
        "the three bodies are whole again",
    )
    damaged = five.api(node, "GET", "/api/cluster/healing/damaged")["results"]
    assert {row["sha256"] for row in damaged} == {rotten.name, cut.name}
    wait_until(
        lambda: all(
            row["repaired_at"]
            for row in five.api(node, "GET", "/api/cluster/healing/damaged")["results"]
        ),
        SETTLE_SECONDS,
        "both are known to be repaired",
    )


def test_a_node_that_leaves_copies_its_bodies_out_first(five, written):
    written.wait_settled(five.nodes)
    leaving, staying = five.nodes[3], [n for n in five.nodes if n is not five.nodes[3]]
    name = leaving["node_id"]
    wished = f"/api/cluster/placement?node={name}&leaving=true"
    held = len(written.files_on(leaving))
    assert five.api(staying[0], "GET", wished)["moved"]["bodies"] == held > 0

    five.api(leaving, "POST", f"/api/cluster/nodes/{name}/leave", {})

    wait_until(
        lambda: (
            five.api(leaving, "GET", "/api/cluster/status")["state"] == "leaving"
            and name not in five.members_seen(staying[0])
        ),
        SETTLE_SECONDS,
        f"{name} has left",
    )
    assert {len(ids) >= COPIES for ids in written.places(staying).values()} == {True}
    assert all_readable(five, staying[0], written)


def test_the_copies_of_a_node_that_stays_away_are_made_again(five, written):
    staying = [five.nodes[n] for n in (0, 1, 2, 4)]
    written.wait_settled(staying)
    five.kill(staying[2]["node_id"])
    left = [staying[n] for n in (0, 1, 3)]
    written.wait_settled(left)
    assert all_readable(five, left[0], written)
    jobs = five.api(left[0], "GET", "/api/cluster/healing/jobs?kind=rebuild")["results"]
    assert staying[2]["node_id"] in jobs[0]["reason"]
