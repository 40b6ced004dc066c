"""The request parser: what it takes, what it refuses, and that any bytes leave it sane."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rs3gw.server.parser import RequestParser
from rs3gw.server.protocol import ServerLimits

HEAD = b"GET /a HTTP/1.1\r\nHost: a\r\n"


def parsed(*pieces, **limits):
    parser = RequestParser(ServerLimits(**limits))
    for piece in pieces:
        parser.feed(piece)
    return parser


def status_of(*pieces, **limits):
    failure = parsed(*pieces, **limits).failure
    return failure.status if failure else None


@pytest.mark.parametrize(
    "lines",
    [
        b"X: a\r\n b",
        b"X: a\x00b",
        b"X: a\nY: b",
        b"X: a\rb",
        b"X : a",
        b": a",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: -5",
        b"Content-Length: 0x5",
        b"Content-Length:",
        b"Content-Length: 99999999999999999999999",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Host: b",
    ],
)
def test_an_ambiguous_or_malformed_head_is_refused(lines):
    assert status_of(HEAD + lines + b"\r\n\r\nabcde") == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /a HTTP/1.1\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"BREW /a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /a HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /a HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: identity\r\n\r\nabc", 501),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    ],
)
def test_what_is_not_our_http_is_refused(line, status):
    assert status_of(line) == status


@pytest.mark.parametrize("chunk", [b"0x5\r\n", b"5 \r\n", b"5\n", b"-1\r\n", b"f" * 17 + b"\r\n"])
def test_a_malformed_chunk_is_refused(chunk):
    assert status_of(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk + b"abcde\r\n") == 400


def test_limits_hold_however_the_head_arrives():
    long_target = b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
    assert status_of(long_target) == 414
    assert status_of(*[long_target[n : n + 100] for n in range(0, 25_000, 100)]) == 414
    many = HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"v" * 90) for n in range(800)) + b"\r\n"
    assert status_of(many) == 431
    endless = [HEAD + b"X: ", *[b"v" * 1000] * 70]
    assert status_of(*endless) == 431
    assert status_of(b"\r\n" * 40_000) == 431


def test_an_endless_trailer_or_chunk_extension_is_refused():
    start = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status_of(start, b"5;x=", *[b"y" * 1000] * 70) == 431
    assert status_of(start, b"0\r\nX: ", *[b"y" * 1000] * 70) == 431


def test_a_trailer_is_not_a_header():
    parser = parsed(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: x\r\n\r\n"
    )
    (request,) = parser.requests
    assert request.is_complete
    assert [name for name, _ in request.headers] == [b"Host", b"Transfer-Encoding"]


def test_requests_before_a_malformed_one_stay_good():
    parser = parsed(HEAD + b"\r\n" + HEAD + b"\r\n" + b"nonsense\r\n")
    assert [request.is_complete for request in parser.requests][:2] == [True, True]
    assert parser.failure.status == 400


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"", b""),
        (b"Content-Length: 3\r\n", b"abc"),
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
    ],
)
def test_an_offer_to_upgrade_is_ignored(framing, body):
    first = HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + framing + b"\r\n" + body
    stream = first + HEAD + b"\r\n"
    whole = parsed(stream)
    bytewise = parsed(*[stream[n : n + 1] for n in range(len(stream))])
    for parser in (whole, bytewise):
        assert parser.failure is None
        assert [request.is_complete for request in parser.requests] == [True, True]
        assert b"".join(parser.requests[0].body) == (b"abc" if body else b"")


TOKENS = st.sampled_from(
    [
        b"GET /a HTTP/1.1\r\n",
        b"PUT /b HTTP/1.1\r\n",
        b"GET /c HTTP/1.0\r\n",
        b"Host: a\r\n",
        b"Content-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
        b"Expect: 100-continue\r\n",
        b"\r\n",
        b"abc",
        b"3\r\nabc\r\n",
        b"0\r\n\r\n",
        b"\n",
        b" ",
        b"\x00",
    ]
)
STREAMS = st.lists(st.one_of(TOKENS, st.binary(max_size=12)), max_size=24).map(b"".join)


def _summary(parser):
    return [
        (r.method, r.target, r.headers, r.is_complete, b"".join(r.body), r.body_bytes)
        for r in parser.requests
        if r.is_head_complete
    ], parser.failure and parser.failure.status


@settings(max_examples=300, deadline=None)
@given(stream=STREAMS, data=st.data())
def test_how_bytes_are_cut_into_packets_changes_nothing(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert _summary(parsed(*pieces)) == _summary(parsed(stream))


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=200), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=6))
def test_both_framings_deliver_the_same_body(body, sizes):
    chunked, rest, turn = b"", body, 0
    while rest:
        piece, rest = rest[: sizes[turn % len(sizes)]], rest[sizes[turn % len(sizes)] :]
        chunked += b"%x\r\n%b\r\n" % (len(piece), piece)
        turn += 1
    by_chunks = parsed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked + b"0\r\n\r\n")
    by_length = parsed(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    for parser in (by_chunks, by_length):
        (request,) = parser.requests
        assert (b"".join(request.body), request.body_bytes) == (body, len(body))
        assert request.is_complete
