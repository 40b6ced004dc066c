"""A member that shows something else than a change says what the change has to stand above.

What follows for writes that a majority confirms: a change that no member reports something newer
about is what readers see at each of them, and one that is stamped again above all that was
reported is seen wherever it arrives.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from rs3gw.common.vector_clock import VectorClock
from rs3gw.storage.core.siblings import Sibling, Stamp, join, key_context, latest, newer_than

WRITER = 9


@st.composite
def states(draw):
    """Return the state of an unversioned key after some writes of three nodes."""
    state = ()
    for seq in range(1, draw(st.integers(0, 5)) + 1):
        stamp = Stamp(draw(st.sampled_from((1, 2, 3))), seq, draw(st.integers(0, 9)))
        seen = key_context(state) if draw(st.booleans()) else VectorClock()
        state = join(state, Sibling(stamp, seen, draw(st.booleans()))).siblings
    return state


changes = st.builds(
    lambda hlc, is_delete: Sibling(Stamp(WRITER, 1, hlc), VectorClock(), is_delete),
    st.integers(0, 9),
    st.booleans(),
)


@settings(max_examples=300)
@given(states(), changes)
def test_nothing_newer_means_that_readers_see_the_change(state, change):
    arrived = join(state, change).siblings
    is_seen = latest(arrived) == change
    assert (newer_than(arrived, change) is None) == is_seen


@settings(max_examples=300)
@given(states(), states(), changes)
def test_a_change_above_all_that_was_reported_is_seen_everywhere(here, there, change):
    reports = [newer_than(join(s, change).siblings, change) for s in (here, there)]
    found = [report for report in reports if report is not None]
    hlc = max([change.stamp.hlc, *(report.hlc for report in found)]) + 1
    seen = VectorClock().with_dot(WRITER, 1)
    for report in found:
        seen = seen.merge(report.context)
    again = Sibling(Stamp(WRITER, 2, hlc), seen, change.is_tombstone)
    for state in (here, there):
        arrived = join(join(state, change).siblings, again).siblings
        assert latest(arrived) == again
        assert newer_than(arrived, again) is None


@given(states(), changes)
def test_what_was_written_over_a_change_is_not_newer_than_it(state, change):
    arrived = join(state, change).siblings
    over = Sibling(Stamp(1, 100, 0), key_context(arrived))
    assert newer_than(join(arrived, over).siblings, change) is None
