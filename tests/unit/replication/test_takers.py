"""Who takes the copies of a new body while some members cannot be reached."""

import pytest

from replication.core.quorum import takers

ORDER = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("reachable", "factor", "expected"),
    [
        ("abcd", 2, ["a", "b"]),
        ("bcd", 2, ["b", "c"]),
        ("acd", 2, ["a", "c"]),
        ("cd", 2, ["c", "d"]),
        ("d", 2, ["d", "a"]),
        ("", 2, ["a", "b"]),
        ("bcd", 0, ["b", "c", "d", "a"]),
    ],
)
def test_the_next_in_line_stands_in_for_who_is_out_of_reach(reachable, factor, expected):
    assert takers(ORDER, set(reachable), factor) == expected
