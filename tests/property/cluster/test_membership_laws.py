"""Membership is a join-semilattice: however news travels, all come to know the same."""

import random

from hypothesis import given
from hypothesis import strategies as st

from cluster.core.gossip import answer, closing, opening
from cluster.core.membership import (
    Membership,
    Status,
    merge_records,
    records_from_json,
    refute,
)
from cluster.core.node import Lifecycle
from tests.unit.cluster.nodes import record

node_ids = st.sampled_from(["a", "b", "c"])
records = st.builds(
    record,
    node_ids,
    st.integers(0, 3),
    status=st.sampled_from(Status),
    lifecycle=st.sampled_from(Lifecycle),
    version=st.sampled_from(["1", "2"]),
)
tables = st.lists(records, max_size=6).map(Membership)


@given(tables, tables)
def test_merge_is_commutative(one, two):
    assert one.merge(two) == two.merge(one)


@given(tables, tables, tables)
def test_merge_is_associative(one, two, three):
    assert one.merge(two).merge(three) == one.merge(two.merge(three))


@given(tables, tables)
def test_merge_is_idempotent_and_never_forgets(one, two):
    both = one.merge(two)

    assert one.merge(one) == one
    assert both.merge(one) == both
    assert {r.node_id for r in both} == {r.node_id for r in one} | {r.node_id for r in two}


@given(records, records)
def test_of_two_records_the_greater_survives(one, two):
    two = type(two)(
        node_id=one.node_id, incarnation=two.incarnation, status=two.status, facts=two.facts
    )
    kept = merge_records(one, two)

    assert kept in (one, two)
    assert kept.order_key() >= max(one.order_key(), two.order_key())


@given(st.lists(records, max_size=12), st.randoms())
def test_the_order_in_which_news_arrives_does_not_matter(news, rng):
    table = Membership(news)
    rng.shuffle(news)

    assert Membership(news) == table


@given(tables)
def test_a_table_survives_the_wire(table):
    assert Membership(records_from_json(table.to_json())) == table


@given(records, records)
def test_a_refutation_beats_the_rumour(own, rumour):
    rumour = record(own.node_id, rumour.incarnation, status=rumour.status)
    refutation = refute(own, rumour)

    if refutation is None:
        assert merge_records(own, rumour) == own
    else:
        mine = record(own.node_id, refutation.incarnation)
        assert merge_records(rumour, mine) == mine


@given(tables, tables)
def test_after_one_exchange_both_agree_on_all_but_their_own_observations(ours, theirs):
    reply = answer("b", theirs, opening("a", ours, {}))
    ours = ours.merge(Membership(reply.records))
    push = closing("a", ours, reply)
    if push is not None:
        theirs = theirs.merge(Membership(push.records))

    assert ours.digest() == theirs.digest()


@given(st.integers(0, 2**32))
def test_equal_digests_mean_equal_shared_facts(seed):
    rng = random.Random(seed)
    pool = [record(n, i, version=v) for n in "ab" for i in (1, 2) for v in ("1", "2")]
    one, two = (Membership(rng.sample(pool, 3)) for _ in range(2))

    same = {r.node_id: r.shared_key() for r in one} == {r.node_id: r.shared_key() for r in two}
    assert (one.digest() == two.digest()) is same
