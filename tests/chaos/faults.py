"""What can befall a region, each as a context manager: on entry it begins, on exit it is over."""

import contextlib

from tests.probe.cluster import wait_until


@contextlib.contextmanager
def killed(cluster, *nodes):
    """All processes of some nodes are killed; they start again at the end."""
    for node in nodes:
        cluster.kill(node)
    yield
    for node in nodes:
        cluster.start(node)


@contextlib.contextmanager
def power_lost(cluster, *nodes):
    """Nodes lose their power, and with it what was not synced."""
    for node in nodes:
        cluster.power_loss(node)
    yield
    for node in nodes:
        cluster.start(node)


@contextlib.contextmanager
def frozen(cluster, node):
    """A node stands still and then goes on as if nothing had been."""
    cluster.freeze(node)
    yield
    cluster.thaw(node)


@contextlib.contextmanager
def _mended_network(cluster):
    try:
        yield
    finally:
        cluster.network.heal()


@contextlib.contextmanager
def partitioned(cluster, *groups):
    """Nodes hear only those of their own group."""
    with _mended_network(cluster):
        cluster.network.partition(*groups)
        yield


@contextlib.contextmanager
def mute(cluster, node):
    """A node hears the others, and they do not hear it: its acknowledgements are lost."""
    with _mended_network(cluster):
        for other in cluster.all:
            if other != node:
                cluster.network.link(node, other, is_cut=True)
        yield


@contextlib.contextmanager
def deaf(cluster, node):
    """The others hear a node, and it does not hear them."""
    with _mended_network(cluster):
        for other in cluster.all:
            if other != node:
                cluster.network.link(other, node, is_cut=True)
        yield


@contextlib.contextmanager
def lossy(cluster, share):
    """A share of all frames between nodes is lost, and some are doubled."""
    with _mended_network(cluster):
        cluster.network.between(cluster.all, cluster.all, loss=share, copies=0.02)
        yield


@contextlib.contextmanager
def slow(cluster, node, *, delay_ms, jitter_ms=0, kbit=0):
    """What a node and the others send each other takes its time."""
    with _mended_network(cluster):
        words = {"delay_ms": delay_ms, "jitter_ms": jitter_ms, "kbit": kbit}
        cluster.network.between([node], cluster.all, **words)
        yield


@contextlib.contextmanager
def full_disk(cluster, node):
    """There is no room left on a node's disk."""
    cluster.disks[node].fill()
    try:
        yield
    finally:
        cluster.disks[node].free()


@contextlib.contextmanager
def failing_disk(cluster, node, operations="fsync"):
    """Operations on a node's files fail with an I/O error."""
    cluster.shims[node].rule(operations, path=str(cluster.data_dir(node)))
    try:
        yield
        assert cluster.shims[node].fired(), f"no {operations} was asked for"
    finally:
        cluster.shims[node].clear()


@contextlib.contextmanager
def wrong_clock(cluster, node, seconds):
    """A node's wall clock jumps, and jumps back at the end."""
    cluster.shims[node].set_clock(seconds)
    try:
        yield
    finally:
        cluster.shims[node].set_clock(0.0)


@contextlib.contextmanager
def replaced_disk(cluster, node):
    """A node loses its disk, and comes back with an empty one and its old name."""
    cluster.replace_disk(node)
    yield
    cluster.start(node)


@contextlib.contextmanager
def without_broker(cluster, *nodes):
    """The Redis of some nodes forgets everything, and is killed as soon as it is there again."""
    for node in nodes:
        cluster.flush_broker(node)
        old = cluster.kill_broker(node)
        wait_until(
            lambda node=node, old=old: cluster.broker_pid(node) not in (0, old),
            30,
            f"the worker of node {node} starts another broker",
        )
        cluster.kill_broker(node)
    yield


@contextlib.contextmanager
def without_worker(cluster, node):
    """A node's worker is killed; the web process goes on alone."""
    cluster.machines[node].kill_service("worker")
    yield
    cluster.start_worker(node)


@contextlib.contextmanager
def without_database(cluster, node):
    """A node's PostgreSQL is killed, and starts again."""
    cluster.machines[node].kill_service("postgres")
    yield
    cluster.start_database(node)
