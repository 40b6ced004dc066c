"""The sentence at the top of the overview: the worst thing first, in plain words."""

from datetime import UTC, datetime, timedelta

import pytest

from rs3gw.console.core.verdict import LinkFacts, LinkState, NodeFacts, Worries, judge, since

WORRIES = ("quarantined", "pressure", "degraded", "differs_from")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def link(destination="us-east-1-2", **facts):
    return LinkFacts(destination=destination, kind=facts.pop("kind", "member"), **facts)


def node(node_id, **facts):
    return NodeFacts(node_id=node_id, state="Active", tone="ok", **facts)


def sentence(nodes=(), links=(), **more):
    worries = {name: more.pop(name) for name in WORRIES if name in more}
    return judge(list(nodes), list(links), now=NOW, worries=Worries(**worries), **more)


def test_all_is_well():
    verdict = sentence([node("a"), node("b")], [link()])

    assert verdict.tone == "ok"
    assert verdict.headline == "Everything written here has reached every node"


def test_a_region_is_named_when_there_is_one():
    links = [link(), link("eu-west-1", kind="region")]

    assert sentence([node("a"), node("b")], links).headline.endswith("every node and region")
    assert sentence([node("a")], links[1:]).headline.endswith("has reached its region")


def test_a_node_alone_says_so():
    assert sentence([node("a")]).headline == "This node works alone"


def test_changes_on_the_way_are_no_reason_to_worry():
    verdict = sentence([node("a")], [link(waiting=12, lag_seconds=0.4)])

    assert verdict.tone == "ok"
    assert verdict.headline == "12 changes on the way, none late"


def test_a_link_that_is_behind():
    verdict = sentence(
        [node("a")],
        [link(waiting=340, waiting_bytes=2**20, lag_seconds=12.0, rate_bytes_per_second=2**18)],
    )

    assert verdict.tone == "warn"
    assert verdict.headline == "us-east-1-2 is 12 s behind: 340 changes (1.0 MiB) waiting"
    assert "4.0 s" in verdict.detail


def test_a_node_that_does_not_answer():
    gone = node("us-east-1-3", is_up=False, last_seen_at=NOW - timedelta(minutes=58))
    verdict = sentence([node("a"), gone], [link("us-east-1-3", waiting=12, lag_seconds=900)])

    assert verdict.tone == "bad"
    assert verdict.headline == (
        "us-east-1-3 does not answer since 14:02 UTC: 12 changes wait for it"
    )


def test_one_change_waits_and_twelve_wait():
    gone = node("b", is_up=False, last_seen_at=NOW)

    assert "1 change waits for it" in sentence([gone], [link("b", waiting=1)]).headline


def test_several_nodes_that_do_not_answer():
    gone = [node(name, is_up=False, last_seen_at=NOW) for name in ("c", "b")]
    verdict = sentence([node("a"), *gone], [link("b", waiting=3), link("c", waiting=5)])

    assert verdict.headline == "2 nodes do not answer: b, c; up to 5 changes wait for them"


def test_a_node_that_joins_and_is_lost_does_not_count():
    joining = node("b", is_up=False, counts=False)

    assert sentence([node("a"), joining], [link()]).tone == "ok"


def test_a_lost_quorum_is_worse_than_a_lost_node():
    gone = [node(name, is_up=False, last_seen_at=NOW) for name in "bc"]
    facts = [node("a"), *gone]

    refused = sentence(facts, is_quorum_available=False, mode="quorum")
    assert "writes are refused" in refused.headline
    assert refused.detail.startswith("1 of 3")
    assert "does not answer" not in refused.headline
    assert "do not answer" in sentence(facts, is_quorum_available=False, mode="async").headline


def test_parked_changes_need_a_person():
    verdict = sentence([node("a")], [link(parked=1, waiting=900, lag_seconds=60)])

    assert verdict.headline == "1 change cannot be delivered and needs you"


def test_a_failing_link_says_why():
    verdict = sentence([node("a")], [link(error="refused our key", waiting=3, lag_seconds=70)])

    assert verdict.tone == "bad"
    assert "refused our key" in verdict.detail


def test_a_paused_link_is_told_calmly():
    verdict = sentence([node("a")], [link(lanes=4, lanes_paused=4, waiting=7)])

    assert verdict.tone == "info"
    assert verdict.headline == "The link to us-east-1-2 is paused: 7 changes waiting"


def test_what_fails_is_said_before_what_is_paused():
    links = [link("p", lanes_paused=1), link("f", error="down", waiting=1, lag_seconds=9)]

    assert sentence([node("a")], links).headline.startswith("f is 9.0 s behind")


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, LinkState.ON_TIME),
        ({"waiting": 3, "lag_seconds": 0.1}, LinkState.COPYING),
        ({"waiting": 3, "lag_seconds": 6.0}, LinkState.BEHIND),
        ({"waiting": 3, "error": "x"}, LinkState.FAILING),
        ({"error": "x"}, LinkState.ON_TIME),
        ({"lanes": 2, "lanes_paused": 1}, LinkState.PARTLY_PAUSED),
        ({"lanes": 2, "lanes_paused": 2, "error": "x", "waiting": 1}, LinkState.PAUSED),
        ({"lanes_held": 1}, LinkState.HELD),
    ],
)
def test_the_state_of_a_link(facts, state):
    assert link(**facts).state == state


def test_no_number_is_shown_for_no_data():
    assert link().lag_text == "–"


def test_yesterday_is_named():
    assert since(NOW - timedelta(hours=2), NOW) == "13:00 UTC"
    assert since(NOW - timedelta(days=1), NOW) == "22 November 15:00 UTC"
    assert since(None, NOW) == "it was first configured"


def test_a_bucket_that_goes_on_without_a_member_is_told():
    said = sentence([node("a")], degraded=["photos", "b", "c", "d"])
    assert (said.tone, said.headline) == (
        "bad",
        "Synchronous buckets go on without a silent member",
    )
    assert said.detail.startswith("photos, b, c and others")


def test_an_index_that_differs_is_told():
    said = sentence([node("a")], differs_from="us-east-1-2")
    assert said.headline == "This node and us-east-1-2 do not hold the same"
