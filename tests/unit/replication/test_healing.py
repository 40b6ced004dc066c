"""Where bodies belong, and when what is done about them."""

import pytest

from cluster.core.placement import Member
from replication.core.healing import (
    NodeView,
    Plan,
    Verdict,
    WalkHistory,
    judge,
    make_plan,
    may_drop,
    next_walk,
    parse_weight,
    rest_seconds,
    retry_seconds,
    violations,
)
from replication.core.peer_health import PeerHealth, reading_order

AFTER = 1800.0
NOW = 100_000.0


def plan_of(count, **failed_ago):
    nodes = [
        NodeView(
            node_id=f"n{number}",
            failed_since=NOW - failed_ago[f"n{number}"] if f"n{number}" in failed_ago else None,
        )
        for number in range(1, count + 1)
    ]
    return make_plan(nodes, now=NOW, rebuild_after_seconds=AFTER)


def test_a_member_that_failed_a_moment_ago_keeps_its_share():
    plan = plan_of(5, n2=AFTER - 1)
    assert plan.given_up == ()
    assert "n2" in [member.node_id for member in plan.members]
    assert plan.withheld == ""


def test_the_share_of_a_member_that_stays_away_goes_to_others():
    plan = plan_of(5, n2=AFTER)
    assert plan.given_up == ("n2",)
    assert "n2" not in [member.node_id for member in plan.members]


@pytest.mark.parametrize(
    ("count", "failed"),
    [(2, ["n1"]), (3, ["n1", "n2"]), (5, ["n1", "n2"]), (8, ["n1", "n2", "n3"])],
)
def test_when_many_fail_at_once_it_is_this_node_that_was_cut_off(count, failed):
    plan = plan_of(count, **dict.fromkeys(failed, 10 * AFTER))
    assert plan.given_up == ()
    assert plan.withheld.startswith("possible partition of this node")


def test_members_that_fail_long_after_each_other_are_given_up_one_by_one():
    plan = plan_of(7, n1=10 * AFTER, n2=5 * AFTER)
    assert plan.given_up == ("n1", "n2")
    plan = plan_of(7, n1=10 * AFTER, n2=5 * AFTER, n3=AFTER / 2)
    assert plan.given_up == ("n1", "n2")


def test_never_are_more_than_half_of_all_members_given_up():
    plan = plan_of(5, n1=20 * AFTER, n2=15 * AFTER, n3=10 * AFTER)
    assert plan.given_up == ("n1", "n2")
    assert plan.withheld


def test_a_leaving_member_takes_nothing_more():
    nodes = [NodeView(node_id="n1", is_leaving=True), NodeView(node_id="n2", weight=2.0)]
    plan = make_plan(nodes, now=NOW, rebuild_after_seconds=AFTER)
    assert plan.holders("0" * 64, 2) == ["n2"]


@pytest.mark.parametrize(
    ("text", "weight"), [("", 1.0), ("0.5", 0.5), ("0", 0.0), ("nan", 1.0), ("-1", 1.0), ("x", 1.0)]
)
def test_a_weight_that_is_none_counts_as_one(text, weight):
    assert parse_weight(text) == weight


def test_placement_says_what_it_cannot_keep():
    three = tuple(Member(f"n{number}", zone="a") for number in range(3))
    assert violations(Plan(members=three), 5)[0].startswith("Copies of each body: 5 wanted, 3 ")
    assert "2 wanted, 1 there" in violations(Plan(members=three), 2)[0]
    apart = tuple(Member(f"n{number}", zone=f"z{number}") for number in range(3))
    assert violations(Plan(members=apart), 3) == ()
    assert violations(Plan(members=(Member("n1"), Member("n2"))), 2) == ()


@pytest.mark.parametrize(
    ("holders", "stored", "verdict"),
    [
        (["me"], None, Verdict.FETCH),
        (["other"], None, Verdict.IGNORE),
        (["me"], 10, Verdict.KEEP),
        (["other"], 10, Verdict.OFFER),
        (["me"], 9, Verdict.CHECK),
        (["other"], 11, Verdict.CHECK),
    ],
)
def test_what_is_done_about_a_body(holders, stored, verdict):
    found = judge(own="me", holder_ids=holders, stored_bytes=stored, size_bytes=10)
    assert found == verdict


@pytest.mark.parametrize(
    ("holders", "confirmed", "factor", "may"),
    [
        (["a", "b", "c"], ["a", "b", "c"], 3, True),
        (["a", "b", "c"], ["a", "b"], 3, False),
        (["a", "b", "c"], ["a", "b", "x"], 3, False),
        (["a", "b", "me"], ["a", "b", "c"], 2, False),
        (["a", "b"], ["a", "b"], 3, False),
        (["a"], ["a"], 0, False),
    ],
)
def test_a_copy_goes_only_when_enough_holders_have_theirs(holders, confirmed, factor, may):
    found = may_drop(own="me", holder_ids=holders, confirmed=confirmed, replication_factor=factor)
    assert found is may


def test_a_change_of_the_members_begins_a_walk_and_a_pause_holds_it():
    plan = plan_of(5, n2=AFTER)
    old = WalkHistory(plan_key=plan_of(5).key(), ended_at=NOW)
    kind, reason = next_walk(old, plan, now=NOW, interval_seconds=60)
    assert (kind, reason) == ("rebuild", "n2 failed and did not come back")
    paused = WalkHistory(plan_key=plan_of(5).key(), is_paused=True)
    assert next_walk(paused, plan, now=NOW, interval_seconds=60) is None
    back = WalkHistory(plan_key=plan.key(), given_up=("n2",), ended_at=NOW)
    assert next_walk(back, plan_of(5), now=NOW, interval_seconds=60)[0] == "audit"
    running = WalkHistory(plan_key=plan.key(), given_up=("n2",))
    assert next_walk(running, plan, now=NOW + 10**6, interval_seconds=60) is None


def test_rest_follows_work_and_attempts_come_ever_more_seldom():
    assert rest_seconds(2.0, 4.0) == 8.0
    assert rest_seconds(2.0, 0.0) == 0.0
    assert [retry_seconds(n) for n in (0, 1, 2, 3, 7, 50)] == [0, 1, 2, 4, 60, 60]


def test_holders_are_asked_first_and_peers_that_failed_just_now_last():
    known = {
        "slow": PeerHealth(latency_seconds=0.5),
        "quick": PeerHealth(latency_seconds=0.002),
        "ill": PeerHealth(failures=3, failed_at=NOW - 1),
        "healed": PeerHealth(failures=1, failed_at=NOW - 5),
    }
    order = reading_order(
        ["ill", "stranger", "slow", "quick", "healed"],
        preferred=["ill", "slow", "quick", "healed"],
        known=known,
        now=NOW,
    )
    assert order == ["healed", "quick", "slow", "stranger", "ill"]


def test_an_answer_forgives_failures_and_smooths_the_latency():
    ill = PeerHealth().after_failure(NOW).after_failure(NOW)
    assert ill.is_resting(NOW + 1.9)
    assert not ill.is_resting(NOW + 2.1)
    well = ill.after_answer(0.1).after_answer(0.2)
    assert not well.is_resting(NOW)
    assert well.latency_seconds == pytest.approx(0.13)
