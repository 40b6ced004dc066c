"""How careful a bucket is: values, their text, and what they amount to when members are silent."""

import pytest

from cluster.core.config import ReplicationMode
from replication.core.consistency import (
    DEFAULT,
    BadConsistency,
    Consistency,
    ReadMode,
    effective_write,
    make,
    parse,
)

SYNC = ReplicationMode.SYNCHRONOUS
ASYNC = ReplicationMode.ASYNCHRONOUS
QUORUM = ReplicationMode.QUORUM


@pytest.mark.parametrize(
    "wanted",
    [
        DEFAULT,
        Consistency(write=QUORUM, read=ReadMode.QUORUM),
        Consistency(write=SYNC, degrade_after_seconds=60),
    ],
)
def test_a_setting_survives_its_text(wanted):
    assert parse(wanted.to_text()) == wanted


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (("two",), "write mode"),
        (("sync", "near"), "read mode"),
        (("sync", "local", -1), "must be 0 to"),
        (("sync", "local", 10**9), "must be 0 to"),
        (("quorum", "local", 10), "needs the write mode sync"),
    ],
)
def test_values_that_there_are_not_are_refused(values, reason):
    with pytest.raises(BadConsistency, match=reason):
        make(*values)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"write": 1}', '{"write":"x","read":"local"}'])
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(BadConsistency):
        parse(text)


@pytest.mark.parametrize(
    ("after", "silences", "mode"),
    [
        (0, [1000.0], SYNC),
        (60, [], SYNC),
        (60, [59.9], SYNC),
        (60, [5.0, 60.0], ASYNC),
    ],
)
def test_a_synchronous_bucket_goes_on_alone_after_its_time(after, silences, mode):
    wanted = Consistency(write=SYNC, degrade_after_seconds=after)
    assert effective_write(wanted, QUORUM, silences) == mode


def test_a_bucket_that_asks_for_nothing_gets_the_default():
    assert effective_write(DEFAULT, QUORUM, [9999.0]) == QUORUM
