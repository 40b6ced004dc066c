"""The checkers of the fault lab find every kind of damage, and nothing in a sound history."""

import pytest

from tests.chaos.checkers import (
    KeyOrder,
    all_accepted,
    all_read,
    all_refused,
    bodies_certify,
    enough_nodes_have_it,
    finals_are_explained,
    nodes_agree,
    reads_go_forward,
    refused_writes_stay_away,
    versions_are_made_once,
    write_gap_seconds,
)
from tests.chaos.history import FAILED, UNKNOWN, doubted
from tests.unit.chaos.histories import delete, put, read, shows, shows_versions

ALL = (0, 1, 2)


def everywhere(value=""):
    return [shows(node, value) for node in ALL]


def finals(history, value, *, is_strong):
    return finals_are_explained(history, everywhere(value), is_strong=is_strong)


class TestFinals:
    @pytest.mark.parametrize("is_strong", [True, False])
    def test_the_last_write_of_a_node_is_expected(self, is_strong):
        history = [put("v1", 0, 0, 1), put("v2", 0, 2, 3)]
        assert finals(history, "v2", is_strong=is_strong) == []

    @pytest.mark.parametrize("is_strong", [True, False])
    def test_a_forgotten_write_is_lost(self, is_strong):
        broken = finals([put("v1", 0, 0, 1)], "", is_strong=is_strong)
        assert len(broken) == 3
        assert all(text.startswith("lost:") for text in broken)

    @pytest.mark.parametrize("is_strong", [True, False])
    def test_an_older_write_of_the_same_node_is_a_lost_update(self, is_strong):
        history = [put("v1", 0, 0, 1), put("v2", 0, 2, 3)]
        broken = finals(history, "v1", is_strong=is_strong)
        assert broken[0].startswith("lost update:")

    @pytest.mark.parametrize("is_strong", [True, False])
    def test_a_deleted_value_comes_back(self, is_strong):
        history = [put("v1", 0, 0, 1), delete(0, 2, 3)]
        broken = finals(history, "v1", is_strong=is_strong)
        assert broken[0].startswith("came back:")
        assert finals(history, "", is_strong=is_strong) == []

    def test_async_orders_only_what_a_node_knew(self):
        history = [put("v1", 0, 0, 1), put("v2", 1, 2, 3)]
        assert finals(history, "v1", is_strong=False) == []
        assert finals(history, "v1", is_strong=True) != []

    def test_what_a_node_served_is_known_to_it(self):
        history = [put("v1", 0, 0, 1), read("v1", 1, 2, 3), put("v2", 1, 4, 5)]
        assert finals(history, "v1", is_strong=False) != []
        assert finals(history, "v2", is_strong=False) == []

    def test_what_is_known_goes_on_from_node_to_node(self):
        history = [
            put("v1", 0, 0, 1), read("v1", 1, 2, 3), put("v2", 1, 4, 5),
            read("v2", 2, 6, 7), delete(2, 8, 9),
        ]  # fmt: skip
        assert finals(history, "v1", is_strong=False)[0].startswith("came back:")

    def test_concurrent_writes_may_both_win(self):
        history = [put("v1", 0, 0, 5), put("v2", 1, 1, 4)]
        for value in ("v1", "v2"):
            assert finals(history, value, is_strong=True) == []
        assert finals(history, "", is_strong=True) != []

    def test_an_unanswered_write_may_have_happened_or_not(self):
        history = [put("v1", 0, 0, 1), put("v2", 0, 2, 3, outcome=UNKNOWN)]
        for value in ("v1", "v2"):
            assert finals(history, value, is_strong=True) == []

    def test_an_unanswered_write_that_lost_its_cause_does_not_win(self):
        history = [put("v1", 0, 0, 1, outcome=UNKNOWN), put("v2", 0, 2, 3), put("v3", 0, 4, 5)]
        assert finals(history, "v2", is_strong=True) != []
        assert finals(history, "v1", is_strong=True) == []

    def test_a_refused_write_explains_nothing(self):
        history = [put("v1", 0, 0, 1), delete(0, 2, 3, outcome=FAILED)]
        assert finals(history, "", is_strong=True) != []

    def test_a_lost_disk_makes_its_acknowledgements_uncertain(self):
        history = [put("v1", 0, 0, 1), put("v2", 1, 0, 1)]
        assert finals(doubted(history, 0), "v2", is_strong=False) == []
        assert finals(doubted(history, 0), "", is_strong=False) != []


class TestAgreement:
    def test_equal_nodes_agree(self):
        assert nodes_agree(everywhere("v1")) == []

    @pytest.mark.parametrize(
        "other",
        [
            shows(2, "v2"),
            shows(2),
            shows(2, "v1", etag="another"),
            shows(2, "v1", metadata=(("x-amz-meta-a", "b"),)),
            shows(2, "v1", modified="later"),
        ],
        ids=["value", "absence", "tag", "metadata", "date"],
    )
    def test_one_that_differs_is_found(self, other):
        assert nodes_agree([shows(0, "v1"), shows(1, "v1"), other]) != []

    def test_a_key_that_is_listed_must_be_readable(self):
        assert nodes_agree([shows(0, "v1", note="404")]) != []

    def test_versions_must_be_the_same_in_the_same_order(self):
        assert nodes_agree([shows_versions(0, "a", "b"), shows_versions(1, "b", "a")]) != []
        assert nodes_agree([shows_versions(0, "a", "b"), shows_versions(1, "a")]) != []


class TestMajority:
    history = (put("v1", 0, 0, 1), put("v2", 1, 2, 3))

    def test_a_minority_may_lack_a_write(self):
        shown = [shows(0, "v2"), shows(1, "v2"), shows(2, "v1")]
        assert enough_nodes_have_it(self.history, shown, missing_max=1) == []

    def test_a_majority_may_not(self):
        shown = [shows(0, "v1"), shows(1, "v2"), shows(2)]
        assert enough_nodes_have_it(self.history, shown, missing_max=1) != []

    def test_after_sync_nobody_may(self):
        shown = [shows(0, "v2"), shows(1, "v2"), shows(2, "v1")]
        assert enough_nodes_have_it(self.history, shown, missing_max=0) != []

    def test_a_later_write_stands_for_an_earlier_one(self):
        assert enough_nodes_have_it(self.history, everywhere("v2"), missing_max=0) == []

    def test_a_deleted_value_that_a_majority_shows_is_found(self):
        history = [put("v1", 0, 0, 1), delete(0, 2, 3)]
        shown = [shows(0), shows(1, "v1"), shows(2, "v1")]
        assert enough_nodes_have_it(history, shown, missing_max=1) != []


class TestReads:
    def test_a_node_that_goes_backwards_is_found(self):
        history = [
            put("v1", 0, 0, 1), put("v2", 0, 2, 3), read("v2", 1, 4, 5), read("v1", 1, 6, 7),
        ]  # fmt: skip
        assert reads_go_forward(history, is_strong=False) != []
        assert reads_go_forward(history[:3], is_strong=False) == []

    def test_a_node_that_forgets_its_own_write_is_found(self):
        history = [put("v1", 0, 0, 1), read("", 0, 2, 3)]
        assert reads_go_forward(history, is_strong=False) != []
        assert reads_go_forward(history, is_strong=False, but=[0]) == []

    def test_other_nodes_may_lag_unless_all_confirmed(self):
        history = [put("v1", 0, 0, 1), read("", 1, 2, 3)]
        assert reads_go_forward(history, is_strong=True) == []
        assert reads_go_forward(history, is_strong=True, is_global=True) != []

    def test_a_delete_under_way_explains_absence(self):
        history = [put("v1", 0, 0, 1), delete(1, 2, 9), read("", 0, 3, 4)]
        assert reads_go_forward(history, is_strong=False) == []

    def test_a_delete_that_began_later_explains_nothing(self):
        history = [put("v1", 0, 0, 1), read("", 0, 2, 3), delete(1, 4, 5)]
        assert reads_go_forward(history, is_strong=False) != []

    def test_a_body_of_no_write_is_found(self):
        assert bodies_certify([read("v1", 0, 0, 1)]) == []
        assert bodies_certify([read("", 0, 0, 1, note="9 bytes")]) != []


class TestRefused:
    @pytest.mark.parametrize("evidence", ["a read", "the end"])
    def test_a_refused_write_that_shows_is_found(self, evidence):
        history = [put("v1", 0, 0, 1, outcome=FAILED, status=503)]
        seen = [read("v1", 1, 2, 3)] if evidence == "a read" else []
        shown = [] if seen else everywhere("v1")
        assert refused_writes_stay_away([*history, *seen], shown) != []
        assert refused_writes_stay_away(history, everywhere()) == []


class TestVersions:
    def test_each_write_made_one_version(self):
        history = [put("v1", 0, 0, 1, version="a"), put("v2", 0, 2, 3, version="b")]
        assert versions_are_made_once(history, [shows_versions(0, "b", "a")]) == []

    def test_a_write_that_was_done_twice_is_found(self):
        history = [put("v1", 0, 0, 1, version="a")]
        assert versions_are_made_once(history, [shows_versions(0, "a", "a")]) != []
        assert versions_are_made_once(history, [shows_versions(0, "a", "other")]) != []

    def test_a_lost_version_is_found(self):
        history = [put("v1", 0, 0, 1, version="a")]
        assert versions_are_made_once(history, [shows_versions(0)]) != []

    def test_an_unanswered_write_explains_one_version(self):
        history = [put("v1", 0, 0, 1, outcome=UNKNOWN)]
        assert versions_are_made_once(history, [shows_versions(0, "a")]) == []
        assert versions_are_made_once(history, [shows_versions(0, "a", "b")]) != []


class TestTables:
    refused = put("v1", 0, 1, 2, outcome=FAILED, status=503)

    def test_a_write_that_was_taken_breaks_a_refusal(self):
        assert all_refused([self.refused], [0], 0, 9) == []
        assert all_refused([self.refused, put("v2", 0, 3, 4)], [0], 0, 9) != []
        assert all_refused([put("v2", 0, 3, 4, outcome=UNKNOWN, status=503)], [0], 0, 9) != []

    def test_a_write_that_was_refused_breaks_going_on(self):
        assert all_accepted([put("v2", 0, 3, 4)], [0], 0, 9) == []
        assert all_accepted([self.refused], [0], 0, 9) != []

    @pytest.mark.parametrize("holds", [all_refused, all_accepted, all_read])
    def test_a_node_that_nobody_asked_proves_nothing(self, holds):
        assert holds([], [0], 0, 9) != []

    def test_reads_that_fail_are_found(self):
        assert all_read([read("v1", 0, 1, 2)], [0], 0, 9) == []
        assert all_read([read("v1", 0, 1, 2, outcome=FAILED)], [0], 0, 9) != []

    def test_the_gap_is_the_longest_time_without_a_write(self):
        history = [put("v1", 0, 0, 1), put("v2", 0, 4, 5), put("v3", 0, 5, 6)]
        assert write_gap_seconds(history, [0], 1.5) == 3.5
        assert write_gap_seconds(history, [1], 1.5) == float("inf")


def test_the_order_of_a_key_is_transitive():
    first, second = put("v1", 0, 0, 1), put("v2", 1, 4, 5)
    third = put("v3", 2, 8, 9)
    ops = [first, read("v1", 1, 2, 3), second, read("v2", 2, 6, 7), third]
    order = KeyOrder(ops, is_strong=False)
    assert order.is_before(first, third)
    assert not order.is_before(third, first)
