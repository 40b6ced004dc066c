"""Session tokens: what a client was told, and what counts as having it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.tokens import WRITERS_MAX, MalformedToken, Token, parse_token

NUMBERS = st.integers(0, 2**63 - 1)


@given(st.dictionaries(NUMBERS, NUMBERS, min_size=1, max_size=WRITERS_MAX))
def test_a_token_survives_its_text(changes):
    token = Token(tuple(sorted(changes.items())))
    assert parse_token(str(token)) == token


def test_the_newest_change_of_a_writer_counts():
    assert parse_token("7:3,7:5, 7:4") == Token(((7, 5),))


@pytest.mark.parametrize(
    "text",
    ["", "7", "7:", ":7", "7:1;8:1", "-7:1", "7:1,", f"{2**63}:1", "٣:1", "1:1," * 400 + "1:1"],
)
def test_other_texts_are_refused(text):
    many = ",".join(f"{actor}:1" for actor in range(WRITERS_MAX + 1))
    for malformed in (text, many):
        with pytest.raises(MalformedToken):
            parse_token(malformed)


@pytest.mark.parametrize(
    ("frontiers", "is_met"),
    [({}, False), ({1: 4, 2: 9}, False), ({1: 5}, False), ({1: 5, 2: 9, 3: 0}, True)],
)
def test_a_token_is_met_when_all_up_to_its_changes_was_applied(frontiers, is_met):
    assert Token(((1, 5), (2, 9))).is_met(frontiers) is is_met
