"""Filters mean what the plain sentence says, and survive being stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replication.core.filters import ReplicationFilter

names = st.sampled_from(["tier", "replicate", "a"])
values = st.sampled_from(["premium", "true", ""])
keys = st.text("ab/", max_size=4)
tag_sets = st.dictionaries(names, values, max_size=3)
filters = st.recursive(
    keys.map(ReplicationFilter.prefix)
    | tag_sets.map(lambda tags: ReplicationFilter.tags(tags.items())),
    lambda inner: st.lists(inner, max_size=3).map(ReplicationFilter.and_),
    max_leaves=6,
)


def conditions(rule):
    """Return every condition in a filter, however deeply it is nested."""
    own = [("prefix", rule.key_prefix)] + [("tag", tag) for tag in rule.required_tags]
    return own + [condition for part in rule.parts for condition in conditions(part)]


@given(filters, keys, tag_sets)
def test_a_filter_matches_when_each_of_its_conditions_holds(rule, key, tags):
    expected = True
    for kind, wanted in conditions(rule):
        if kind == "prefix":
            expected &= key[: len(wanted)] == wanted
        else:
            expected &= wanted in tags.items()
    assert rule.matches(key, tags) == expected


@given(filters, keys, tag_sets)
def test_a_stored_filter_matches_the_same(rule, key, tags):
    again = ReplicationFilter.from_json(rule.to_json())
    assert again.matches(key, tags) == rule.matches(key, tags)
    assert again.to_json() == rule.to_json()


@given(st.lists(filters, max_size=4), keys, tag_sets)
def test_and_matches_what_all_match(rules, key, tags):
    together = ReplicationFilter.and_(rules)
    assert together.matches(key, tags) == all(rule.matches(key, tags) for rule in rules)


@given(keys, tag_sets)
def test_the_empty_filter_matches_everything(key, tags):
    assert ReplicationFilter.from_json({}).matches(key, tags)


@pytest.mark.parametrize(
    "value", [{"suffix": "x"}, {"prefix": 1}, {"tags": []}, {"and": {}}, {"and": [{"or": []}]}]
)
def test_what_is_no_filter_is_refused(value):
    with pytest.raises(ValueError, match="not a filter"):
        ReplicationFilter.from_json(value)
