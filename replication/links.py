"""Circuit breakers as rows: shared by the processes of this node, written only when they change.

What is merely counted, failures since the last success among it, stays in the process that counts.
Rows are read at most twice a second in each process, whatever is asked of them.
"""

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.conf import settings

from cluster import selectors as cluster_selectors
from cluster import transport as cluster_transport
from replication import lanes
from replication.core import circuit_breaker as core
from replication.core.circuit_breaker import (
    Breaker,
    BreakerLimits,
    BreakerState,
    Outcome,
    Permission,
)
from replication.link_rows import LinkKey, breaker_of, fields_of, key_of
from replication.models import DestinationKind, Lane, LinkTraffic, PeerLink
from rs3gw.common import clock
from rs3gw.common.database import release_connections

logger = logging.getLogger(__name__)
CACHE_SECONDS = 0.5
PING_PATH = "/_cluster/ping"
PING_SECONDS = 3.0
CHANGE_ATTEMPTS = 5

Change = Callable[[Breaker], Breaker]


class LeftAlone(cluster_transport.PeerUnreachable):
    """Nothing was sent, so nothing is known of the destination."""


def of_lane(lane: Lane) -> LinkKey:
    """Return the link that a lane copies over."""
    return LinkKey(str(lane.destination_kind), lane.destination, LinkTraffic.DATA.value)


def of_member(node_id: str, traffic: LinkTraffic = LinkTraffic.CONTROL) -> LinkKey:
    """Return the link to a member."""
    return LinkKey(DestinationKind.MEMBER.value, node_id, traffic.value)


def of_region(name: str) -> LinkKey:
    """Return the link to a remote region."""
    return LinkKey(DestinationKind.REGION.value, name, LinkTraffic.DATA.value)


def limits() -> BreakerLimits:
    """Return when breakers open, as the settings say."""
    return BreakerLimits(
        failures_in_row=settings.RS3GW_BREAKER_FAILURES,
        open_seconds=settings.RS3GW_BREAKER_OPEN_SECONDS,
        open_seconds_max=settings.RS3GW_BREAKER_OPEN_MAX_SECONDS,
    )


class _Rows:
    """The rows as this process knows them, and what it has counted beside them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = -CACHE_SECONDS
        self._rows: dict[LinkKey, Breaker] = {}
        self._counted: dict[LinkKey, Breaker] = {}

    def get(self, key: LinkKey) -> Breaker:
        """Return a breaker; its row may be half a second old."""
        with self._lock:
            is_old = clock.monotonic() - self._read_at >= CACHE_SECONDS
            if is_old:
                # Others take what is known instead of reading it too.
                self._read_at = clock.monotonic()
        if is_old:
            found = {key_of(row): breaker_of(row) for row in PeerLink.objects.all()}
            with self._lock:
                self._rows = found
        with self._lock:
            return self._with_counts(key, self._rows.get(key, Breaker()))

    def put(self, key: LinkKey, breaker: Breaker) -> None:
        """Remember a breaker as it is now."""
        with self._lock:
            self._rows[key] = breaker
            self._counted[key] = breaker

    def with_counts(self, key: LinkKey, breaker: Breaker) -> Breaker:
        """Return a breaker as its row says, with what this process has counted."""
        with self._lock:
            return self._with_counts(key, breaker)

    def _with_counts(self, key: LinkKey, breaker: Breaker) -> Breaker:
        counted = self._counted.get(key)
        if counted is None or counted.state is not breaker.state:
            return breaker
        return replace(breaker, failures=counted.failures, recent=counted.recent)

    def forget(self) -> None:
        """Forget everything; for tests, and after rows were made or deleted."""
        with self._lock:
            self._read_at = -CACHE_SECONDS
            self._rows, self._counted = {}, {}


_rows = _Rows()
_probing: set[LinkKey] = set()
forget = _rows.forget


def get(key: LinkKey) -> Breaker:
    """Return a breaker as this process knows it."""
    return _rows.get(key)


def permission(key: LinkKey) -> Permission:
    """Return what may be sent; with PROBE, the caller has the one probe and must `record` it."""
    now = clock.now()
    asked = get(key).permission(now)
    if asked is not Permission.PROBE:
        return asked
    return Permission.PROBE if _claim_probe(key, now) else Permission.WAIT


def _claim_probe(key: LinkKey, now: float) -> bool:
    claimed = False

    def claim(breaker: Breaker) -> Breaker:
        nonlocal claimed
        claimed = breaker.permission(now) is Permission.PROBE
        return core.begin_probe(breaker, now=now, limits=limits()) if claimed else breaker

    return _change(key, claim) and claimed


def next_try_at(key: LinkKey) -> datetime:
    """Return when to ask again for permission."""
    return clock.from_ms(int(get(key).next_try_at(clock.now()) * 1000))


def record(key: LinkKey, outcome: Outcome | None, reason: str = "") -> bool:
    """Take in how a request ended; return whether the destination has come back with it.

    Args:
        key: Which link.
        outcome: None when nothing was sent.
        reason: What went wrong, in words.
    """
    if outcome is None:
        return False

    def change(breaker: Breaker) -> Breaker:
        return core.record(
            breaker, outcome, now=clock.now(), rng=random.Random(), limits=limits(), reason=reason
        )

    before = get(key)
    after = change(before)
    if core.is_same_row(before, after):
        _rows.put(key, after)
        return False
    if not _change(key, change):
        return False
    is_closed = get(key).state is BreakerState.CLOSED
    logger.log(
        logging.INFO if is_closed else logging.WARNING,
        "the link to %s (%s) is %s: %s",
        key.destination,
        key.traffic,
        get(key).state.value,
        reason or "it answers",
    )
    return is_closed and before.state is not BreakerState.CLOSED


def outcome_of(error: Exception) -> Outcome | None:
    """Return what an error says of the destination; None when it says nothing."""
    if isinstance(error, LeftAlone):
        return None
    if isinstance(error, cluster_transport.PeerRefused):
        return core.outcome_of_status(error.status)
    if isinstance(error, cluster_transport.PeerUnreachable):
        return Outcome.UNREACHABLE
    return Outcome.FAILED


def is_shut(node_id: str) -> bool:
    """Return whether writers must not wait for a member; a probe that is due begins behind."""
    key = of_member(node_id)
    asked = get(key).permission(clock.now())
    if asked is Permission.PROBE:
        _probe_behind(key)
    return asked is not Permission.SEND


def given_up(node_id: str) -> None:
    """Leave a member alone that the failure detector has given up."""
    reason = f"{node_id} has failed: no heartbeat of it arrives."

    def change(breaker: Breaker) -> Breaker:
        if breaker.state is not BreakerState.CLOSED:
            return breaker
        return core.opened(
            breaker,
            Outcome.UNREACHABLE,
            now=clock.now(),
            rng=random.Random(),
            limits=limits(),
            reason=reason,
        )

    for traffic in LinkTraffic:
        _change(of_member(node_id, traffic), change)


def heard_of(node_id: str) -> None:
    """Probe a member soon that did not answer and was heard of now."""
    _hurry_member(node_id, core.heard_of)


def is_back(node_id: str) -> None:
    """Probe a member soon that is active again, whatever was wrong with it."""
    _hurry_member(node_id, core.hurried)


def _hurry_member(node_id: str, hurry: Callable[..., Breaker]) -> None:
    for traffic in LinkTraffic:
        key = of_member(node_id, traffic)
        if _hurry(key, hurry) and traffic is LinkTraffic.CONTROL:
            _probe_behind(key)


def heard_of_region(name: str) -> None:
    """Probe a remote region soon that did not answer and has sent something now."""
    _hurry(of_region(name), core.heard_of)


def hurry(key: LinkKey) -> None:
    """Probe a destination as soon as may be: something about it has changed."""
    _hurry(key, core.hurried)


def _hurry(key: LinkKey, how: Callable[..., Breaker]) -> bool:
    known = get(key)
    if known.state is not BreakerState.OPEN:
        return False

    def change(breaker: Breaker) -> Breaker:
        return how(breaker, now=clock.now(), limits=limits())

    # Rest lanes wake for a probe that was put forward, and for one that is due anyway.
    if core.is_same_row(known, change(known)) and known.permission(clock.now()) is not (
        Permission.PROBE
    ):
        return False
    _change(key, change)
    lanes.wake_lanes(key.destination, kind=key.kind)
    return True


def force(key: LinkKey, state: BreakerState | None, *, until: float, author: str) -> None:
    """Hold a link open or closed until a time; with None, let it be what it is by itself."""
    _change(key, lambda breaker: core.forced(breaker, state, until=until), force_by=author)
    lanes.wake_lanes(key.destination, kind=key.kind)


def ensure() -> None:
    """Have a row for each link that there are lanes for, and none for those that are gone."""
    wanted = set()
    for kind, destination in set(Lane.objects.values_list("destination_kind", "destination")):
        wanted.add(LinkKey(kind, destination, LinkTraffic.DATA.value))
        if kind == DestinationKind.MEMBER:
            wanted.add(of_member(destination))
    known = {key_of(row): row for row in PeerLink.objects.all()}
    for key in wanted - set(known):
        PeerLink.objects.get_or_create(
            kind=key.kind, destination=key.destination, traffic=key.traffic
        )
    gone = [row.pk for key, row in known.items() if key not in wanted]
    if gone:
        PeerLink.objects.filter(pk__in=gone).delete()


# --- probes in the background ----------------------------------------------------------------


def _probe_behind(key: LinkKey) -> None:
    """Probe a member in a thread of its own; at most one of them for each link."""
    if key in _probing:
        return
    _probing.add(key)
    name = f"probe-{key.destination}"
    threading.Thread(target=_probe, args=(key,), name=name, daemon=True).start()


def _probe(key: LinkKey) -> None:
    try:
        if permission(key) is Permission.PROBE:
            record(key, *ping(key.destination))
    except Exception:
        logger.exception("a probe of %s failed", key.destination)
    finally:
        _probing.discard(key)
        release_connections()


def ping(node_id: str) -> tuple[Outcome | None, str]:
    """Ask a member whether it is there; return what that says of it, and why."""
    node = cluster_selectors.member(node_id)
    if node is None:
        return Outcome.UNTRUSTED, f"{node_id} is no member any more."
    try:
        cluster_transport.client(node).request("GET", PING_PATH, timeout_seconds=PING_SECONDS)
    except cluster_transport.PeerError as error:
        return outcome_of(error), error.message
    return Outcome.OK, ""


# --- rows ------------------------------------------------------------------------------------


def _change(key: LinkKey, change: Change, **fields: object) -> bool:
    """Change a breaker in its row; return False when nothing was to be changed."""
    for _ in range(CHANGE_ATTEMPTS):
        row, _made = PeerLink.objects.get_or_create(
            kind=key.kind, destination=key.destination, traffic=key.traffic
        )
        before = _rows.with_counts(key, breaker_of(row))
        after = change(before)
        if core.is_same_row(before, after):
            _rows.put(key, after)
            return False
        changed = PeerLink.objects.filter(pk=row.pk, revision=row.revision)
        if changed.update(**fields_of(after), **fields, revision=row.revision + 1):
            _rows.put(key, after)
            return True
    return False
