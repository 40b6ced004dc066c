"""The state of a key is the same on every node that received the same events.

Histories are made as nodes make them: a node writes over what it holds, and holds what it
received. The mutants these laws kill: no context on write, no context on arrival, pairwise winners.
"""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from replication.core.conflict import ConflictResolution, resolve
from rs3gw.storage.core.siblings import Sibling, Stamp, join, key_context, winner

STRATEGIES = [s for s in ConflictResolution if s != ConflictResolution.CUSTOM]


@st.composite
def histories(draw):
    """Return writes of three nodes to one key; each saw what some earlier ones left."""
    held = dict.fromkeys((1, 2, 3), ())
    writes = []
    for _ in range(draw(st.integers(1, 7))):
        actor = draw(st.sampled_from((1, 2, 3)))
        for index in draw(st.sets(st.integers(0, 6), max_size=3)):
            if index < len(writes):
                held[actor] = join(held[actor], writes[index]).siblings
        seq = 1 + sum(w.stamp.actor == actor for w in writes)
        # Clocks are as wrong as they like: the set may not depend on them.
        stamp = Stamp(actor, seq, draw(st.integers(0, 9)))
        write = Sibling(stamp, key_context(held[actor]), draw(st.booleans()))
        held[actor] = join(held[actor], write).siblings
        writes.append(write)
    return writes


def joined(writes):
    state = ()
    for write in writes:
        state = join(state, write).siblings
    return state


@settings(max_examples=150)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_and_number_of_deliveries_ends_in_one_state(writes, rng: random.Random):
    expected = joined(writes)
    delivered = writes + rng.choices(writes, k=3)
    rng.shuffle(delivered)
    assert joined(delivered) == expected


@settings(max_examples=150)
@given(histories())
def test_the_set_is_what_no_other_write_had_seen(writes):
    dumb = {
        w.stamp
        for w in writes
        if not any(other.context.covers(w.stamp.actor, w.stamp.seq) for other in writes)
    }
    assert {sibling.stamp for sibling in joined(writes)} == dumb


@given(histories())
def test_a_state_joined_with_itself_stays(writes):
    state = joined(writes)
    for sibling in state:
        again = join(state, sibling)
        assert (again.siblings, again.dropped, again.outcome) == (state, (), "duplicate")


@given(histories())
def test_the_context_covers_every_write(writes):
    context = key_context(joined(writes))
    assert all(context.covers(w.stamp.actor, w.stamp.seq) for w in writes)


@given(histories())
def test_a_write_over_a_state_replaces_all_of_it(writes):
    state = joined(writes)
    write = Sibling(Stamp(9, 1, 0), key_context(state))
    result = join(state, write)
    assert result.siblings == (write,)
    assert set(result.dropped) == set(state)


@given(histories(), st.randoms(use_true_random=False), st.sampled_from(STRATEGIES))
def test_the_winner_is_a_function_of_the_set(writes, rng: random.Random, strategy):
    state = list(joined(writes))
    first = resolve(state, strategy)
    rng.shuffle(state)
    again = resolve(state, strategy)
    assert again == first
    assert {first.winner, *first.losers} == set(state)
    assert len(first.losers) == len(state) - 1


@given(histories())
def test_the_last_write_wins_is_what_readers_see(writes):
    state = joined(writes)
    assert resolve(state, ConflictResolution.LAST_WRITE_WINS).winner == winner(state)


@given(histories())
def test_first_write_wins_never_lets_a_delete_win_over_an_object(writes):
    state = joined(writes)
    best = resolve(state, ConflictResolution.FIRST_WRITE_WINS).winner
    if any(not sibling.is_tombstone for sibling in state):
        assert not best.is_tombstone
