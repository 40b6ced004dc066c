"""Whom to talk to, what to say, what to answer."""

import random

import pytest

from cluster.core.gossip import (
    GossipMessage,
    answer,
    choose_peers,
    closing,
    message_from_json,
    opening,
    reply_from_json,
)
from cluster.core.membership import MalformedMessage, Membership
from cluster.core.node import Liveness
from tests.unit.cluster.nodes import address_of, info, record


def test_a_round_goes_to_one_member_and_one_seed():
    peers = [info(name) for name in "bcdef"]
    seeds = [address_of("b"), "never-met:9001"]

    for seed in range(50):
        chosen = choose_peers(peers, seeds, random.Random(seed))
        assert len(set(chosen)) == 2
        assert chosen[1] in seeds
        assert chosen[0] in {peer.address for peer in peers}


def test_seeds_that_were_never_met_are_tried_too():
    rng = random.Random(1)
    tried = {choose_peers([info("b")], ["b:9001", "never-met:9001"], rng)[-1] for _ in range(40)}

    assert tried == {"b:9001", "never-met:9001"}


def test_members_that_are_heard_are_preferred():
    peers = [info("b"), info("c", liveness=Liveness.FAILED)]

    assert {choose_peers(peers, [], random.Random(n)) for n in range(20)} == {("b:9001",)}
    lost = [info("c", liveness=Liveness.FAILED)]
    assert choose_peers(lost, [], random.Random(1)) == ("c:9001",)


def test_alone_there_is_nobody_to_talk_to():
    assert choose_peers([], [], random.Random(1)) == ()


def test_two_that_agree_exchange_one_digest():
    table = Membership([record("a"), record("b")])

    reply = answer("b", table, opening("a", table, {}))

    assert reply.records == ()
    assert closing("a", table, reply) is None


def test_two_that_differ_know_the_same_afterwards():
    ours = Membership([record("a", 2), record("b", 1)])
    theirs = Membership([record("b", 4), record("c", 1)])

    reply = answer("b", theirs, opening("a", ours, {}))
    ours = ours.merge(Membership(reply.records))
    theirs = theirs.merge(Membership(closing("a", ours, reply).records))

    assert ours == theirs
    assert {r.node_id: r.incarnation for r in ours} == {"a": 2, "b": 4, "c": 1}


def test_a_message_that_only_tells_is_not_answered_with_a_table():
    table = Membership([record("a"), record("b")])

    assert answer("b", table, GossipMessage(incarnation=1, records=(record("a"),))).records == ()


def test_messages_survive_the_wire():
    table = Membership([record("a", 3)])
    message = opening("a", table, {"frontiers": {"1": 2}})
    reply = answer("b", table.merge(Membership([record("b", 2)])), message)

    assert message_from_json(message.to_json()) == message
    assert reply_from_json(reply.to_json()) == reply
    assert message.incarnation == 3
    assert reply.incarnation == 2


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"digest": 1},
        {"digest": "d" * 65},
        {"sections": []},
        {"sections": {str(number): 1 for number in range(17)}},
        {"incarnation": "1"},
    ],
)
def test_a_malformed_message_is_refused(data):
    with pytest.raises(MalformedMessage):
        message_from_json(data)


def test_a_reply_says_who_answers():
    with pytest.raises(MalformedMessage):
        reply_from_json({"digest": ""})
