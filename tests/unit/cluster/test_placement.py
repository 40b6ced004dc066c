"""Which members keep a body."""

import hashlib

from cluster.core.placement import SHARDS, Member, holders, shard_of

BODY = hashlib.sha256(b"body").hexdigest()
FIVE = [Member(f"node-{number}") for number in range(5)]


def test_the_order_of_the_members_does_not_matter():
    assert holders(BODY, FIVE, 3) == holders(BODY, FIVE[::-1], 3)


def test_factor_zero_means_all():
    assert sorted(holders(BODY, FIVE, 0)) == [member.node_id for member in FIVE]


def test_no_more_holders_than_members():
    assert len(holders(BODY, FIVE[:2], 3)) == 2
    assert holders(BODY, [], 3) == []


def test_a_longer_list_begins_with_the_shorter_one():
    assert holders(BODY, FIVE, 4)[:2] == holders(BODY, FIVE, 2)


def test_weight_zero_takes_nothing_new():
    members = [Member("full", 0.0), Member("empty")]

    assert holders(BODY, members, 2) == ["empty"]


def test_shards_are_the_first_bits_of_the_name():
    assert shard_of("000" + "f" * 61) == 0
    assert shard_of("f" * 64) == SHARDS - 1


def test_the_choice_is_the_same_in_every_version():
    assert holders(BODY, FIVE, 3) == ["node-4", "node-0", "node-1"]
