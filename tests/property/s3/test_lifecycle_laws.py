"""Laws of lifecycle decisions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.s3.core.lifecycle import (
    ActKind,
    Expiration,
    LifecycleFilter,
    LifecycleRule,
    NoncurrentExpiration,
    VersionFacts,
    decide_key,
    decide_upload,
)

START = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
DAYS = st.integers(1, 6)
DAY_SECONDS = st.sampled_from([1, 10, 86_400])
FILTERS = st.builds(
    LifecycleFilter,
    prefix=st.sampled_from([None, "", "a", "b"]),
    tags=st.sampled_from([(), (("k", "v"),)]),
    larger_than_bytes=st.none() | st.integers(0, 5),
)
RULES = st.lists(
    st.builds(
        LifecycleRule,
        rule_id=st.sampled_from(["r", "s"]),
        is_enabled=st.booleans(),
        filter=FILTERS,
        expiration=st.none()
        | st.builds(Expiration, days=DAYS)
        | st.just(Expiration(expired_delete_marker=True)),
        noncurrent_expiration=st.none()
        | st.builds(NoncurrentExpiration, days=DAYS, newer_versions=st.none() | DAYS),
        abort_days=st.none() | DAYS,
    ),
    max_size=4,
)


@st.composite
def histories(draw):
    """Return the versions of one key, newest first, over a few days of some length."""
    day_seconds = draw(DAY_SECONDS)
    moments = sorted(draw(st.lists(st.floats(0, 8), min_size=1, max_size=6)), reverse=True)
    times = [START + timedelta(seconds=moment * day_seconds) for moment in moments]
    versions = [
        VersionFacts(
            version_id=str(index),
            is_latest=index == 0,
            is_delete_marker=draw(st.booleans()),
            last_modified=time,
            became_noncurrent_at=None if index == 0 else times[index - 1],
            size_bytes=draw(st.integers(0, 8)),
            tags=draw(st.sampled_from([{}, {"k": "v"}])),
            is_locked=draw(st.booleans()),
        )
        for index, time in enumerate(times)
    ]
    now = START + timedelta(seconds=draw(st.floats(0, 20)) * day_seconds)
    return versions, now, day_seconds


def decide(rules, history):
    versions, now, day_seconds = history
    return decide_key(rules, "a/key", versions, now=now, day_seconds=day_seconds)


@given(RULES, histories())
def test_a_disabled_rule_never_acts(rules, history):
    disabled = [replace(rule, is_enabled=False) for rule in rules]
    assert decide(disabled, history) == []
    assert not decide_upload(
        disabled, "a/key", START, now=START + timedelta(days=999), day_seconds=1
    )
    enabled = [rule for rule in rules if rule.is_enabled]
    assert decide(rules, history) == decide(enabled, history)


def longer(rule, days):
    """Return a rule that waits some days more with everything."""
    expiration, noncurrent = rule.expiration, rule.noncurrent_expiration
    if expiration is not None and expiration.days is not None:
        expiration = replace(expiration, days=expiration.days + days)
    if noncurrent is not None:
        noncurrent = replace(noncurrent, days=noncurrent.days + days)
    abort_days = None if rule.abort_days is None else rule.abort_days + days
    return replace(
        rule, expiration=expiration, noncurrent_expiration=noncurrent, abort_days=abort_days
    )


def targets(found):
    return {(act.kind, act.version_id) for act in found}


@given(RULES, histories(), st.integers(0, 5))
def test_adding_days_never_makes_anything_go_earlier(rules, history, days):
    patient = [longer(rule, days) for rule in rules]
    assert targets(decide(patient, history)) <= targets(decide(rules, history))
    now, day_seconds = history[1:]
    upload = {"now": now, "day_seconds": day_seconds}
    assert decide_upload(rules, "a/key", START, **upload) or not decide_upload(
        patient, "a/key", START, **upload
    )


@given(RULES, histories(), st.floats(0, 30))
def test_what_must_go_now_must_go_later_too(rules, history, days):
    versions, now, day_seconds = history
    later = (versions, now + timedelta(seconds=days * day_seconds), day_seconds)
    assert targets(decide(rules, history)) <= targets(decide(rules, later))


@given(RULES, histories(), DAYS)
def test_the_newest_replaced_versions_are_kept(rules, history, kept):
    keeping = [
        rule
        if rule.noncurrent_expiration is None
        else replace(
            rule, noncurrent_expiration=replace(rule.noncurrent_expiration, newer_versions=kept)
        )
        for rule in rules
    ]
    newest = {facts.version_id for facts in history[0][1 : kept + 1]}
    deleted = {
        act.version_id for act in decide(keeping, history) if act.kind == ActKind.DELETE_NONCURRENT
    }
    assert not newest & deleted


@given(RULES, histories())
def test_locked_versions_are_never_deleted(rules, history):
    locked = {facts.version_id for facts in history[0] if facts.is_locked}
    for_good = {ActKind.DELETE_NONCURRENT, ActKind.DELETE_MARKER}
    assert not [
        act for act in decide(rules, history) if act.kind in for_good and act.version_id in locked
    ]


@given(RULES, histories())
def test_every_act_fits_the_version_it_is_about_and_none_gets_two(rules, history):
    by_id = {facts.version_id: facts for facts in history[0]}
    found = decide(rules, history)
    assert len({act.version_id for act in found}) == len(found)
    for act in found:
        facts = by_id[act.version_id]
        assert facts.is_latest == (act.kind != ActKind.DELETE_NONCURRENT)
        if facts.is_latest:
            assert facts.is_delete_marker == (act.kind == ActKind.DELETE_MARKER)
        if act.kind == ActKind.DELETE_MARKER:
            assert len(by_id) == 1


@given(RULES, histories(), st.integers(1, 5))
def test_a_key_in_parts_is_decided_like_the_whole(rules, history, size):
    versions, now, day_seconds = history
    found, newer = [], 0
    for start in range(0, len(versions), size):
        part = versions[start : start + size]
        found += decide_key(
            rules,
            "a/key",
            part,
            now=now,
            day_seconds=day_seconds,
            newer_noncurrent=newer,
            is_whole=len(versions) <= size,
        )
        newer += sum(not facts.is_latest for facts in part)
    assert found == decide(rules, history)
