"""Condition operators hold as AWS documents them."""

import pytest

from rs3gw.s3.core.policy_conditions import OPERATORS, compile_condition
from rs3gw.s3.core.wildcard import no_variables

NEGATED = sorted(name for name, (_, negated) in OPERATORS.items() if negated)


def holds(operator, wanted, *values, **variables):
    wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    condition = compile_condition(operator, "Some:Key", wanted, variables=bool(variables))
    assert condition.key == "some:key"
    return condition.holds(values, variables.get if variables else no_variables)


@pytest.mark.parametrize(
    ("operator", "wanted", "yes", "no"),
    [
        ("StringEquals", ["a*", "b"], ["a*", "b"], ["A*", "ab", ""]),
        ("stringnotequals", ["a", "b"], ["A", "c"], ["a", "b"]),
        ("StringEqualsIgnoreCase", "Abc", ["aBC", "abc"], ["abd"]),
        ("StringNotEqualsIgnoreCase", "Abc", ["abd"], ["aBC"]),
        ("StringLike", ["a*c", "?"], ["ac", "abbc", "x"], ["AC", "xx"]),
        ("StringNotLike", ["a*c", "?"], ["xx"], ["ac", "x"]),
        ("NumericEquals", "10", ["10", "10.0", "1e1"], ["9", "ten", "", "NaN", "１０"]),
        ("NumericNotEquals", "10", ["9", "ten"], ["10"]),
        ("NumericLessThan", "10", ["9.99", "-1e999"], ["10", "x"]),
        ("NumericLessThanEquals", "10", ["10", "0"], ["10.1"]),
        ("NumericGreaterThan", "10", ["10.1"], ["10"]),
        ("NumericGreaterThanEquals", "10", ["10"], ["9"]),
        ("DateEquals", "2020-01-01T00:00:00Z", ["2020-01-01", "1577836800"], ["2020-01-02"]),
        ("DateNotEquals", "2020-01-01", ["2020-01-02", "soon"], ["2020-01-01T01:00:00+01:00"]),
        ("DateLessThan", "2020-01-01T00:00:00Z", ["2019-12-31T23:59:59.9Z"], ["2020-01-01"]),
        ("DateLessThanEquals", "1577836800", ["2020-01-01"], ["2020-01-01T00:00:01Z"]),
        ("DateGreaterThan", "2020-01-01", ["2020-01-01T00:00:01Z"], ["2020-01-01"]),
        ("DateGreaterThanEquals", "2020-01-01", ["2020-01-01"], ["0001-01-01T00:00+23:59"]),
        ("Bool", "true", ["true", "True"], ["false", "1"]),
        ("IpAddress", "203.0.113.0/24", ["203.0.113.7", "::ffff:203.0.113.7"], ["203.0.114.1"]),
        ("IpAddress", ["2001:db8::/32", "1.2.3.4"], ["2001:db8::1", "1.2.3.4"], ["1.2.3.5", ""]),
        ("NotIpAddress", "203.0.113.0/24", ["203.0.114.1"], ["203.0.113.7"]),
        ("ArnLike", "arn:aws:s3:::b*", ["arn:aws:s3:::bucket:x"], ["arn:aws:s3::1:b", "b"]),
        ("ArnEquals", "arn:aws:*:*:1:x", ["arn:aws:s3:eu:1:x"], ["arn:aws:s3:eu:e:1:x"]),
        ("ArnNotLike", "arn:aws:s3:::b*", ["arn:aws:s3:::a"], ["arn:aws:s3:::b"]),
        ("ArnNotEquals", "*", ["none"], ["arn:aws:s3:::b"]),
        ("BinaryEquals", "QmluYXJ5", ["QmluYXJ5"], ["Binary"]),
    ],
)
def test_an_operator_compares_one_value(operator, wanted, yes, no):
    assert [value for value in yes if not holds(operator, wanted, value)] == []
    assert [value for value in no if holds(operator, wanted, value)] == []


@pytest.mark.parametrize("operator", sorted(set(OPERATORS) - {"null"}))
def test_without_the_key_only_negated_operators_hold(operator):
    wanted = {"bool": "true", "numeric": "1", "date": "1", "arn": "*"}
    value = next((v for kind, v in wanted.items() if operator.startswith(kind)), "1.2.3.4")
    assert holds(operator, value) is (operator in NEGATED)
    assert holds(f"{operator}IfExists", value)
    assert holds(f"ForAllValues:{operator}", value)
    assert not holds(f"ForAnyValue:{operator}", value)


def test_null_asks_whether_the_key_is_there():
    assert holds("Null", "true")
    assert not holds("Null", "true", "x")
    assert holds("Null", "false", "x")
    assert not holds("Null", "false")


def test_if_exists_still_compares_a_key_that_is_there():
    assert not holds("StringEqualsIfExists", "a", "b")
    assert not holds("StringNotEqualsIfExists", "a", "a")


def test_for_all_values_asks_every_value():
    wanted = ["environment", "cost"]
    assert holds("ForAllValues:StringEquals", wanted, "cost", "environment")
    assert not holds("ForAllValues:StringEquals", wanted, "cost", "team")
    assert holds("ForAllValues:StringNotEquals", wanted, "team")
    assert not holds("ForAllValues:StringNotEquals", wanted, "team", "cost")


def test_for_any_value_asks_for_one_value():
    assert holds("ForAnyValue:StringEquals", ["a", "b"], "x", "b")
    assert not holds("ForAnyValue:StringEquals", ["a", "b"], "x", "y")
    assert holds("ForAnyValue:StringNotEquals", ["a", "b"], "a", "y")
    assert not holds("ForAnyValue:StringNotEquals", ["a", "b"], "a", "b")


def test_without_a_qualifier_one_of_several_values_is_enough():
    assert holds("StringEquals", "a", "x", "a")
    assert not holds("StringNotEquals", "a", "x", "a")


def test_values_may_hold_variables():
    assert holds("StringEquals", "${aws:username}/x", "bob/x", **{"aws:username": "bob"})
    assert holds("StringEqualsIgnoreCase", "${AWS:UserName}", "BOB", **{"aws:username": "Bob"})
    assert not holds("StringLike", "${aws:username}", "bob", **{"aws:username": "*"})
    assert not holds("StringEquals", "${aws:userid}", "", **{"aws:username": "bob"})
    arn = "arn:aws:iam::1:user/${aws:username}"
    assert holds("ArnEquals", arn, "arn:aws:iam::1:user/bob", **{"aws:username": "bob"})
