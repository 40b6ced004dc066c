"""A lane loses nothing. Kills: dropped retries, silence taken for success, blocking failures."""

import random

from hypothesis import given
from hypothesis import strategies as st

from replication.core.envelope import ItemResult
from replication.core.lanes import (
    DELIVERED_CODES,
    LANE_BACK_OFF_CAP_SECONDS,
    Sent,
    lane_back_off,
    plan_batch,
    settle,
)
from replication.core.retry import ATTEMPTS_MAX, CAP_SECONDS, back_off_seconds

CODES = [*sorted(DELIVERED_CODES), "need_body", "retry", "parked", "a code of the future"]
batches = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 50)), unique=True, max_size=12).map(
    lambda dots: [Sent(index + 1, *dot) for index, dot in enumerate(dots)]
)


def settled(batch, codes, attempts=None):
    results = [
        ItemResult(actor=sent.actor, seq=sent.seq, code=code, reason="why")
        for sent, code in zip(batch, codes, strict=False)
        if code is not None
    ]
    return settle(
        batch,
        results,
        cursor=len(batch),
        attempts=attempts or {},
        now=1000.0,
        rng=random.Random(1),
    )


@given(batches, st.lists(st.sampled_from([*CODES, None]), max_size=12))
def test_every_event_is_delivered_retried_or_parked(batch, codes):
    done = settled(batch, codes)
    positions = [
        *done.acked,
        *(plan.position for plan in done.retry),
        *(plan.position for plan in done.parked),
    ]
    assert sorted(positions) == [sent.position for sent in batch]
    assert done.cursor == len(batch)


@given(batches, st.lists(st.sampled_from([*CODES, None]), min_size=12, max_size=12))
def test_only_what_the_peer_took_counts_as_delivered(batch, codes):
    done = settled(batch, codes)
    expected = [
        s.position for s, code in zip(batch, codes, strict=False) if code in DELIVERED_CODES
    ]
    assert list(done.acked) == expected


@given(batches, st.integers(0, 2 * ATTEMPTS_MAX))
def test_a_failing_event_is_parked_after_the_last_attempt_and_not_before(batch, attempts):
    done = settled(batch, ["retry"] * len(batch), {sent.position: attempts for sent in batch})
    is_parked = attempts + 1 >= ATTEMPTS_MAX
    assert len(done.parked if is_parked else done.retry) == len(batch)
    assert all(plan.attempts == attempts + 1 and plan.next_at > 1000.0 for plan in done.retry)
    assert all(plan.reason == "retry why" for plan in (*done.retry, *done.parked))


@given(batches, batches)
def test_answers_about_other_events_change_nothing(batch, others):
    mine = {(sent.actor, sent.seq) for sent in batch}
    strangers = [
        ItemResult(actor=sent.actor, seq=sent.seq, code="applied")
        for sent in others
        if (sent.actor, sent.seq) not in mine
    ]
    done = settle(batch, strangers, cursor=0, attempts={}, now=0.0, rng=random.Random(1))
    assert done.acked == ()


@given(st.integers(1, 10_000), st.integers())
def test_waits_grow_to_a_cap_and_are_never_zero(attempt, seed):
    wait = back_off_seconds(attempt, random.Random(seed))
    assert 0.25 <= wait <= CAP_SECONDS
    assert 0 < lane_back_off(attempt, random.Random(seed)) <= LANE_BACK_OFF_CAP_SECONDS
    assert wait <= 0.5 * 2 ** min(attempt - 1, 60)


@given(st.lists(st.integers(0, 40), max_size=20))
def test_batches_cover_the_log_and_keep_the_limit(sizes):
    rest = list(sizes)
    while rest:
        count = plan_batch(rest, inline_max_bytes=16, total_max_bytes=50)
        assert count >= 1
        batch, rest = rest[:count], rest[count:]
        assert sum(batch) <= 50
        assert all(size <= 16 for size in batch[:-1])
        if batch[-1] > 16:
            assert count == 1
    assert plan_batch([], inline_max_bytes=16, total_max_bytes=50) == 0
