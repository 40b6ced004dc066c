"""`AppliedRanges` is a set of numbers. Kills: a frontier over gaps, islands that touch."""

from hypothesis import given
from hypothesis import strategies as st

from replication.core.applied import AppliedRanges

numbers = st.lists(st.integers(1, 25), max_size=30)
spans = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 6)), max_size=8)


def filled(seqs):
    ranges = AppliedRanges()
    for seq in seqs:
        ranges, _ = ranges.add(seq)
    return ranges


@given(numbers)
def test_it_holds_exactly_what_was_added(seqs):
    ranges = filled(seqs)
    assert {seq for seq in range(-1, 40) if ranges.contains(seq)} == set(seqs)


@given(numbers)
def test_the_frontier_ends_before_the_first_gap(seqs):
    expected = 0
    while expected + 1 in seqs:
        expected += 1
    assert filled(seqs).frontier == expected


@given(numbers)
def test_each_number_is_new_once(seqs):
    ranges, added = AppliedRanges(), []
    for seq in seqs:
        ranges, is_new = ranges.add(seq)
        added += [seq] if is_new else []
    assert sorted(added) == sorted(set(seqs))


@given(numbers, st.randoms(use_true_random=False))
def test_order_does_not_matter(seqs, rng):
    shuffled = list(seqs)
    rng.shuffle(shuffled)
    assert filled(seqs) == filled(shuffled)


@given(numbers)
def test_islands_ascend_and_never_touch(seqs):
    ranges = filled(seqs)
    end = ranges.frontier
    for low, high in ranges.islands:
        assert end + 1 < low <= high
        end = high


@given(spans, numbers)
def test_adding_a_span_is_adding_each_of_it(added, seqs):
    ranges, plain = filled(seqs), set(seqs)
    for low, more in added:
        ranges = ranges.add_through(low, low + more)
        plain |= set(range(low, low + more + 1))
    assert ranges == filled(sorted(plain))


@given(numbers)
def test_it_survives_json(seqs):
    ranges = filled(seqs)
    assert AppliedRanges.from_json(ranges.to_json()) == ranges
