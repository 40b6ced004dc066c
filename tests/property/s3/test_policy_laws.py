"""Laws of policies: what any set of documents and requests obeys."""

import json
from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import Ask, Principal, parse_bucket_policy
from rs3gw.s3.core.policy_model import Policy
from rs3gw.s3.core.wildcard import compile_pattern, no_variables

PATTERNS = st.text("ab*?", max_size=12)
TEXTS = st.text("ab\n", max_size=12)
ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket"]
PEOPLE = [Principal(), Principal("1", "1"), Principal("1", "u", "bob"), Principal("2", "2")]

conditions = st.sampled_from(
    [
        {},
        {"StringEquals": {"s3:prefix": "a"}},
        {"StringNotLike": {"s3:prefix": "a*"}},
        {"Null": {"s3:prefix": "true"}},
        {"ForAnyValue:StringEquals": {"s3:prefix": ["a", "b"]}},
    ]
)
principals = st.sampled_from(
    ["*", {"AWS": "1"}, {"AWS": ["2", "arn:aws:iam::1:user/bob"]}, {"CanonicalUser": "2"}]
)
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": principals,
        "Action": st.lists(st.sampled_from([*ACTIONS, "s3:*", "s3:?et*"]), min_size=1, max_size=2),
        "Resource": st.sampled_from(
            ["*", "arn:aws:s3:::b", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a"]
        ),
        "Condition": conditions,
    }
)
documents = st.lists(statements, min_size=1, max_size=5)
asks = st.builds(
    Ask,
    st.sampled_from(PEOPLE),
    st.sampled_from(ACTIONS),
    st.sampled_from(["arn:aws:s3:::b", "arn:aws:s3:::b/a", "arn:aws:s3:::b/c"]),
    st.sampled_from([{}, {"s3:prefix": ("a",)}, {"s3:prefix": ("ab",)}, {"s3:prefix": ("b", "x")}]),
    st.booleans(),
)


def policy(found):
    text = json.dumps({"Version": "2012-10-17", "Statement": found})
    return parse_bucket_policy(text, bucket="b")


def naive(pattern, text):
    """Match as the definition says, one character at a time."""

    @cache
    def step(i, j):
        if i == len(pattern):
            return j == len(text)
        if pattern[i] == "*":
            return step(i + 1, j) or (j < len(text) and step(i, j + 1))
        return j < len(text) and pattern[i] in ("?", text[j]) and step(i + 1, j + 1)

    return step(0, 0)


@given(PATTERNS, TEXTS)
@example("ab*ba", "aba")
@example("a*?*a", "aa")
@example("?*?", "a")
def test_the_matcher_agrees_with_the_definition(pattern, text):
    compiled = compile_pattern(pattern, variables=True)
    assert compiled.matches(text, no_variables) is naive(pattern, text)


@given(PATTERNS, PATTERNS, st.text("ab*?$", max_size=4), TEXTS)
def test_a_variable_stands_for_its_value_taken_literally(before, after, value, text):
    compiled = compile_pattern(f"{before}${{v}}{after}", variables=True)
    literal = "".join(f"${{{c}}}" if c in "*?$" else c for c in value)
    expected = compile_pattern(f"{before}{literal}{after}", variables=True)
    for candidate in (text, text + value + text):
        assert compiled.matches(candidate, {"v": value}.get) is expected.matches(
            candidate, no_variables
        )


@given(PATTERNS)
def test_a_text_without_wildcards_matches_itself_only(text):
    compiled = compile_pattern(text, variables=False, wildcards=False)
    assert compiled.is_fixed
    assert compiled.matches(text, no_variables)
    assert not compiled.matches(text + "a", no_variables)


@given(documents, asks)
def test_an_explicit_deny_wins_whatever_else_stands_in_the_document(found, ask):
    parsed = policy(found)
    denies = [s for s in parsed.statements if not s.allows and s.applies(ask)]
    assert (parsed.decide(ask) == "deny") is bool(denies)


@given(documents, asks, st.randoms(use_true_random=False))
def test_the_order_of_statements_does_not_matter(found, ask, rng):
    shuffled = list(found)
    rng.shuffle(shuffled)
    assert policy(found).decide(ask) == policy(shuffled).decide(ask)


@given(documents, documents, asks)
def test_adding_statements_never_lifts_a_denial(found, more, ask):
    if policy(found).decide(ask) == "deny":
        assert policy([*found, *more]).decide(ask) == "deny"


@given(documents, asks)
def test_nothing_is_allowed_without_a_statement_that_allows(found, ask):
    parsed = policy(found)
    only_denies = Policy(tuple(s for s in parsed.statements if not s.allows))
    assert only_denies.decide(ask) != "allow"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
broken = st.builds(
    lambda found, name, value: json.dumps({"Statement": [found | {name: value}]}),
    statements,
    st.sampled_from(["Effect", "Principal", "Action", "NotAction", "Resource", "Condition"]),
    values,
)


@given(broken | st.binary(max_size=200) | st.text(max_size=200))
def test_any_text_is_a_policy_or_refused(text):
    try:
        parsed = parse_bucket_policy(text, bucket="b")
    except S3Error as error:
        assert error.code == "MalformedPolicy"
    else:
        assert parsed.statements
