"""Cross-origin rules: their documents, and which request they allow."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rs3gw.s3.core import cors
from rs3gw.s3.core.cors import CorsRule
from rs3gw.s3.core.errors import S3Error

RULE = (
    "<CORSRule><AllowedOrigin>https://a.example</AllowedOrigin>"
    "<AllowedMethod>GET</AllowedMethod></CORSRule>"
)


@contextlib.contextmanager
def refused(code):
    with pytest.raises(S3Error) as caught:
        yield
    assert caught.value.code == code


def document(rules):
    return f'<CORSConfiguration xmlns="{cors.xml.NAMESPACE}">{rules}</CORSConfiguration>'.encode()


def rule_with(extra):
    return document(RULE.replace("</CORSRule>", extra + "</CORSRule>"))


def test_a_document_is_read():
    body = document(
        "<CORSRule><ID>one</ID><AllowedOrigin>*</AllowedOrigin><AllowedOrigin>x</AllowedOrigin>"
        "<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>"
        "<AllowedHeader>x-AMZ-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>"
        "<MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>"
    )
    assert cors.parse_cors(body) == (
        CorsRule(
            rule_id="one",
            origins=("*", "x"),
            methods=("GET", "PUT"),
            headers=("x-AMZ-*",),
            exposed=("ETag",),
            max_age_seconds=3000,
        ),
    )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not xml", "MalformedXML"),
        (document(""), "MalformedXML"),
        (b"<Other/>", "MalformedXML"),
        (document("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>"), "MalformedXML"),
        (document("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>"), "MalformedXML"),
        (document(RULE + "<Other/>"), "MalformedXML"),
        (rule_with("<Other/>"), "MalformedXML"),
        (rule_with("<MaxAgeSeconds>soon</MaxAgeSeconds>"), "MalformedXML"),
        (rule_with("<MaxAgeSeconds>-1</MaxAgeSeconds>"), "MalformedXML"),
        (rule_with("<AllowedMethod>PATCH</AllowedMethod>"), "InvalidRequest"),
        (rule_with("<AllowedMethod>get</AllowedMethod>"), "InvalidRequest"),
        (rule_with("<AllowedOrigin>*.a.*</AllowedOrigin>"), "InvalidRequest"),
        (rule_with("<AllowedHeader>**</AllowedHeader>"), "InvalidRequest"),
        (rule_with("<ExposeHeader>*</ExposeHeader>"), "InvalidRequest"),
        (rule_with("<ExposeHeader>a&#10;Set-Cookie: b</ExposeHeader>"), "MalformedXML"),
        (rule_with(f"<ID>{'i' * 256}</ID>"), "InvalidRequest"),
        (document(RULE * 101), "InvalidRequest"),
        (document(f"<!--{'c' * 65536}-->{RULE}"), "EntityTooLarge"),
    ],
)
def test_a_document_that_is_not_allowed_is_refused(body, code):
    with refused(code):
        cors.parse_cors(body)


def test_the_largest_documents_are_accepted():
    assert len(cors.parse_cors(document(RULE * 100))) == 100
    empty = document("<CORSRule><AllowedOrigin/><AllowedMethod>PUT</AllowedMethod></CORSRule>")
    assert cors.parse_cors(empty)[0].origins == ("",)


TEXT = st.text("abc-.<&é", max_size=6)
RULES = st.lists(
    st.builds(
        CorsRule,
        rule_id=TEXT,
        origins=st.lists(TEXT, min_size=1, max_size=3).map(tuple),
        methods=st.lists(st.sampled_from(sorted(cors.METHODS)), min_size=1).map(tuple),
        headers=st.lists(TEXT, max_size=3).map(tuple),
        exposed=st.lists(TEXT, max_size=3).map(tuple),
        max_age_seconds=st.none() | st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@given(RULES)
def test_rules_survive_their_xml_and_their_json(rules):
    assert cors.parse_cors(cors.cors_xml(rules)) == rules
    assert cors.from_json(cors.to_json(rules)) == rules


def rule(*origins, methods=("GET",), **more):
    return CorsRule(origins=origins, methods=methods, **more)


def ask(rules, origin, method="GET", headers=()):
    return cors.match(rules, origin=origin, method=method, request_headers=headers)


@pytest.mark.parametrize(
    ("pattern", "origin", "is_allowed"),
    [
        ("*suffix", "foo.suffix", True),
        ("*suffix", "foo.suffix.get", False),
        ("start*end", "start_end", True),
        ("start*end", "startend", True),
        ("start*end", "start", False),
        ("aba*aba", "aba", False),
        ("aba*aba", "ababa", False),
        ("prefix*", "prefix", True),
        ("prefix*", "notprefix", False),
        ("https://a.example", "https://a.example", True),
        ("https://a.example", "https://a.example.evil", False),
        ("https://a.example", "https://aXexample", False),
        ("https://*.a.example", "https://b.a.example", True),
        ("https://*.a.example", "http://b.a.example", False),
    ],
)
def test_an_origin_is_compared_with_at_most_one_wildcard(pattern, origin, is_allowed):
    answer = ask([rule(pattern)], origin)
    assert (answer is not None) == is_allowed
    if answer is not None:
        assert answer.origin == origin


def test_only_the_bare_star_is_answered_with_a_star():
    everyone = ask([rule("*")], "https://a.example").to_headers()
    assert everyone["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in everyone
    named = ask([rule("https://*")], "https://a.example").to_headers()
    assert named["Access-Control-Allow-Origin"] == "https://a.example"
    assert named["Access-Control-Allow-Credentials"] == "true"


def test_every_header_that_is_asked_for_must_be_allowed():
    rules = [rule("*", headers=("x-AMZ-*", "Content-Type"))]
    answer = ask(rules, "o", headers=("X-Amz-Date", " content-TYPE"))
    assert answer.headers == ("x-amz-date", "content-type")
    assert ask(rules, "o", headers=("x-amz-date", "x-other")) is None
    assert ask([rule("*")], "o", headers=("x-other",)) is None
    assert ask([rule("*", headers=("*",))], "o", headers=("x-other",)) is not None


def test_the_first_rule_that_allows_all_of_it_answers():
    rules = [
        rule("*", methods=("PUT",), max_age_seconds=1),
        rule("b", max_age_seconds=2),
        rule("a", max_age_seconds=3),
        rule("*", exposed=("ETag", "x-amz-id-2"), max_age_seconds=4),
    ]
    assert ask(rules, "a").max_age_seconds == 3
    assert ask(rules, "c").to_headers() == {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Methods": "GET",
        "Access-Control-Expose-Headers": "ETag, x-amz-id-2",
        "Access-Control-Max-Age": "4",
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    assert ask(rules, "a", "DELETE") is None
