"""Who is asked about a silent peer, and how long one that flaps is held back."""

import random
from datetime import UTC, datetime, timedelta

from cluster.core.node import Liveness
from cluster.core.probing import FLAP_WINDOW, HOLD, HOLD_MAX, choose_helpers, held_until
from tests.unit.cluster.nodes import info

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_two_living_others_are_asked():
    peers = [info(f"n{i}") for i in range(5)] + [info("gone", liveness=Liveness.FAILED)]
    for seed in range(20):
        chosen = [p.node_id for p in choose_helpers(peers, "n0", random.Random(seed))]
        assert len(set(chosen)) == 2
        assert not {"n0", "gone"} & set(chosen)
    assert choose_helpers([info("n0")], "n0", random.Random(1)) == []


def test_a_hold_begins_at_the_limit_and_doubles():
    def hold(count, limit=3):
        failures = [NOW - timedelta(seconds=i) for i in range(count)]
        until = held_until(failures, NOW, limit=limit)
        return None if until is None else until - NOW

    assert hold(2) is None
    assert [hold(3), hold(4), hold(5)] == [HOLD, 2 * HOLD, 4 * HOLD]
    assert hold(30) == HOLD_MAX
    assert hold(30, limit=0) is None


def test_old_failures_count_no_more():
    failures = [NOW - FLAP_WINDOW, NOW - FLAP_WINDOW - timedelta(hours=1), NOW]
    assert held_until(failures, NOW, limit=2) is None
