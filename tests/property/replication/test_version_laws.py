"""Laws of versions and of what is changed of them: every order ends in one state."""

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.attributes import (
    COMPLIANCE,
    RETENTION,
    TAGGING,
    Attribute,
    applied,
    retention_value,
    supersedes,
)
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.core.siblings import Sibling, Stamp, latest, winner

STAMPS = st.builds(Stamp, st.integers(1, 3), st.integers(1, 50), st.integers(1, 20))
SIBLINGS = st.lists(
    st.builds(
        Sibling,
        STAMPS,
        st.just(VectorClock()),
        st.booleans(),
        st.sampled_from(["null", "v1", "v2"]),
    ),
    max_size=8,
    unique_by=lambda s: (s.stamp.actor, s.stamp.seq),
)
DATES = st.integers(2026, 2040).map(lambda year: f"{year}-01-01T00:00:00.000Z")


@given(SIBLINGS, st.randoms())
def test_the_latest_version_does_not_depend_on_the_order(siblings, rng):
    shuffled = list(siblings)
    rng.shuffle(shuffled)
    assert latest(siblings) == latest(shuffled)


@given(SIBLINGS)
def test_a_deleted_version_is_latest_only_where_all_are_deleted(siblings):
    best = latest(siblings)
    versions = {s.version_id for s in siblings}
    winners = [winner(s for s in siblings if s.version_id == v) for v in versions]
    if best is None:
        assert not siblings
    elif best.is_tombstone:
        assert all(w.is_tombstone for w in winners)
    else:
        live = [w.stamp.order_key() for w in winners if not w.is_tombstone]
        assert best.stamp.order_key() == max(live)


@given(SIBLINGS)
def test_with_one_version_the_latest_is_its_winner(siblings):
    plain = [s for s in siblings if s.version_id == "null"]
    assert latest(plain) == winner(plain)


def settle(attributes):
    """Return what is left of these attributes when they arrive one by one."""
    known = {}
    for attribute in attributes:
        current = known.get(attribute.name)
        if current is None or supersedes(attribute, current):
            known[attribute.name] = attribute
    return applied(ObjectHeaders(), known.values())


RETENTIONS = st.builds(
    lambda mode, until, current, stamp: Attribute(
        RETENTION, retention_value(mode, until, {"floor": current} if current else {}), stamp
    ),
    st.sampled_from(["GOVERNANCE", COMPLIANCE]),
    DATES,
    st.just("") | DATES,
    STAMPS,
)
TAGS = st.builds(
    lambda tags, stamp: Attribute(TAGGING, tags, stamp),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"), max_size=2),
    STAMPS,
)


@given(
    st.lists(RETENTIONS | TAGS, max_size=6, unique_by=lambda a: (a.stamp.actor, a.stamp.seq)),
    st.randoms(),
)
def test_attributes_end_the_same_in_every_order_and_number(attributes, rng):
    shuffled = [*attributes, *attributes]
    rng.shuffle(shuffled)
    assert settle(attributes) == settle(shuffled)


@given(DATES, DATES, STAMPS, STAMPS)
def test_of_two_concurrent_promises_the_longer_is_kept(one, other, first, second):
    promises = [
        Attribute(RETENTION, retention_value(COMPLIANCE, date, {}), stamp)
        for date, stamp in ((one, first), (other, second))
    ]
    assert settle(promises).lock["until"] == max(one, other)


@given(DATES, DATES, STAMPS)
def test_a_promise_outlives_a_concurrent_weaker_retention(promised, weaker, stamp):
    kept = Attribute(RETENTION, retention_value(COMPLIANCE, promised, {}), stamp)
    later = Stamp(9, 9, stamp.hlc + 1)
    weak = Attribute(RETENTION, retention_value("GOVERNANCE", weaker, {}), later)
    assert settle([kept, weak]).lock["mode"] == COMPLIANCE
