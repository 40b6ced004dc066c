"""When a writer's changes count as lost on their usual way."""

from replication.anti_entropy.gaps import GapWatch


def overdue(watch, own, known, now):
    return watch.overdue(own, known, now=now, grace_seconds=10.0)


def test_a_gap_is_overdue_after_its_grace_and_asked_of_who_has_most():
    watch = GapWatch()
    known = {"east-2": {7: 3}, "east-3": {7: 5}}
    assert overdue(watch, {7: 2}, known, 100.0) == []
    assert overdue(watch, {7: 2}, known, 109.9) == []
    assert overdue(watch, {7: 2}, known, 110.0) == [(7, "east-3")]


def test_a_gap_that_closes_by_itself_starts_anew():
    watch = GapWatch()
    known = {"east-2": {7: 3}}
    overdue(watch, {}, known, 100.0)
    assert overdue(watch, {7: 3}, known, 105.0) == []
    assert overdue(watch, {}, known, 111.0) == []
    assert overdue(watch, {}, known, 121.0) == [(7, "east-2")]
    watch.progressed(7)
    assert overdue(watch, {}, known, 122.0) == []


def test_what_this_node_has_and_others_lack_is_no_gap():
    assert overdue(GapWatch(), {7: 9}, {"east-2": {7: 3}}, 999.0) == []
