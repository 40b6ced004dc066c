"""Bodies in every framing that clients send, byte for byte, and in those that only attackers do."""

import base64
import os
import zlib

import pytest

from tests.integration.s3.signing import Chunks, Signed, send

PAYLOAD = os.urandom(200_000)
PAYLOAD_BYTES = len(PAYLOAD)
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CRC = base64.b64encode(zlib.crc32(PAYLOAD).to_bytes(4, "big")).decode()
TRAILER = ("x-amz-checksum-crc32", CRC)


def streamed(bucket, kind, *, size_bytes=PAYLOAD_BYTES, trailer=TRAILER[0], **headers):
    more = {"x-amz-decoded-content-length": str(size_bytes)}
    if kind != SIGNED and trailer:
        more["x-amz-trailer"] = trailer
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return Signed(f"/{bucket}/k", payload=kind, headers=more | headers).sign()


def body_of(request, kind, *, size=64 * 1024, payload=PAYLOAD, trailers=(TRAILER,)):
    chunks = Chunks(None if kind == UNSIGNED_TRAILER else request)
    return chunks.body(payload, size, () if kind == SIGNED else trailers)


def stored(s3, bucket):
    return s3.get_object(Bucket=bucket, Key="k")["Body"].read()


def nothing_is_stored(s3, bucket):
    return "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("kind", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [8 * 1024, 64 * 1024, 10**6])
def test_every_coding_in_every_framing_is_read(node, s3, bucket, kind, framing, size):
    request = streamed(bucket, kind)
    answer = send(node, request, body_of(request, kind, size=size), framing=framing)
    assert answer.status == 200, answer.body
    assert stored(s3, bucket) == PAYLOAD


@pytest.mark.parametrize("kind", [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_a_client_that_waits_is_told_to_go_on(node, s3, bucket, kind):
    request = streamed(bucket, kind)
    answer = send(node, request, body_of(request, kind), awaits_continue=True)
    assert answer.status == 200, answer.body
    assert stored(s3, bucket) == PAYLOAD


def test_an_empty_body_may_be_streamed(node, s3, bucket):
    request = streamed(bucket, SIGNED, size_bytes=0)
    assert send(node, request, body_of(request, SIGNED, payload=b"")).status == 200
    assert stored(s3, bucket) == b""


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_plain_body_is_read(node, s3, bucket, framing):
    request = Signed(f"/{bucket}/k").sign()
    assert send(node, request, PAYLOAD, framing=framing).status == 200
    assert stored(s3, bucket) == PAYLOAD


def test_a_body_without_any_framing_is_refused(node, bucket):
    answer = send(node, Signed(f"/{bucket}/k").sign(), framing="")
    assert (answer.status, answer.code) == (411, "MissingContentLength")


@pytest.mark.parametrize("size_bytes", [len(PAYLOAD) - 1, len(PAYLOAD) + 1, 0])
@pytest.mark.parametrize("kind", [SIGNED, UNSIGNED_TRAILER])
def test_a_length_that_is_not_the_declared_one_is_refused(node, s3, bucket, kind, size_bytes):
    request = streamed(bucket, kind, size_bytes=size_bytes)
    answer = send(node, request, body_of(request, kind))
    assert (answer.status, answer.code) == (400, "IncompleteBody")
    assert nothing_is_stored(s3, bucket)


@pytest.mark.parametrize("size", ["", "-1", "1e3", "9" * 30, "0x10"])
def test_a_declared_length_is_a_number(node, bucket, size):
    request = streamed(bucket, UNSIGNED_TRAILER, size_bytes=size)
    answer = send(node, request, body_of(request, UNSIGNED_TRAILER))
    assert (answer.status, answer.code) == (411, "MissingContentLength")


@pytest.mark.parametrize("place", [100, 70_000, 199_000])
def test_a_chunk_that_was_changed_is_refused(node, s3, bucket, place):
    request = streamed(bucket, SIGNED)
    body = bytearray(body_of(request, SIGNED))
    body[place] ^= 1
    answer = send(node, request, bytes(body))
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert nothing_is_stored(s3, bucket)


def test_chunks_in_another_order_are_refused(node, s3, bucket):
    payload = bytes(16 * 1024) + b"\1" * 16 * 1024
    request = streamed(bucket, SIGNED, size_bytes=len(payload))
    chunks = Chunks(request)
    first, second, last = (chunks.chunk(p) for p in (payload[:16384], payload[16384:], b""))
    answer = send(node, request, second + first + last + b"\r\n")
    assert answer.code == "SignatureDoesNotMatch"
    assert nothing_is_stored(s3, bucket)


@pytest.mark.parametrize("kind", [SIGNED_TRAILER, UNSIGNED_TRAILER])
@pytest.mark.parametrize(
    ("trailers", "code"),
    [
        ((), "MalformedTrailerError"),
        ((("x-amz-checksum-crc32c", CRC),), "MalformedTrailerError"),
        ((TRAILER, ("x-amz-checksum-sha1", "a" * 27 + "=")), "MalformedTrailerError"),
        ((("x-amz-checksum-crc32", "é"),), "InvalidRequest"),
        ((("x-amz-checksum-crc32", "AAAAAA=="),), "BadDigest"),
        (tuple(("x-a", str(n)) for n in range(1000)), "MalformedTrailerError"),
    ],
)
def test_trailers_that_were_not_announced_are_refused(node, s3, bucket, kind, trailers, code):
    request = streamed(bucket, kind)
    answer = send(node, request, body_of(request, kind, trailers=trailers))
    assert (answer.status, answer.code) == (400, code)
    assert nothing_is_stored(s3, bucket)


@pytest.mark.parametrize("signature", ["", "0" * 64, "é"])
def test_trailers_that_are_not_signed_are_refused(node, s3, bucket, signature):
    request = streamed(bucket, SIGNED_TRAILER)
    body = body_of(request, SIGNED_TRAILER)
    end = body.index(b"x-amz-trailer-signature:")
    line = f"x-amz-trailer-signature:{signature}\r\n".encode() if signature else b""
    answer = send(node, request, body[:end] + line + b"\r\n")
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert nothing_is_stored(s3, bucket)


def test_a_trailer_announced_for_a_plain_body_is_refused(node, s3, bucket):
    headers = {"x-amz-trailer": "x-amz-checksum-crc32"}
    answer = send(node, Signed(f"/{bucket}/k", headers=headers).sign(), PAYLOAD)
    assert (answer.status, answer.code) == (400, "MalformedTrailerError")
    assert nothing_is_stored(s3, bucket)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"zz\r\n",
        b"5\r\nabc",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"-1\r\n",
        b"1" * 9 + b"\r\n",
        b"x" * 40_000,
    ],
)
def test_a_body_that_is_not_in_the_coding_is_refused(node, s3, bucket, body):
    request = streamed(bucket, UNSIGNED_TRAILER)
    answer = send(node, request, body)
    assert answer.status == 400 and answer.code in ("IncompleteBody", "InvalidRequest")
    assert nothing_is_stored(s3, bucket)


def test_a_body_of_tiny_chunks_is_read(node, s3, bucket):
    payload = PAYLOAD[:100_000]
    request = streamed(bucket, UNSIGNED_TRAILER, size_bytes=len(payload), trailer="")
    answer = send(
        node, request, body_of(request, UNSIGNED_TRAILER, size=1, payload=payload, trailers=())
    )
    assert answer.status == 200
    assert stored(s3, bucket) == payload


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"content-md5": "é"}, "InvalidDigest"),
        ({"content-md5": "AAAA"}, "InvalidDigest"),
        ({"content-md5": ""}, "InvalidDigest"),
        ({"content-md5": "A" * 22 + "=="}, "BadDigest"),
        ({"x-amz-checksum-crc32": "é"}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": ""}, "InvalidRequest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
        ({"x-amz-checksum-crc32": CRC, "x-amz-checksum-sha1": "a" * 27 + "="}, "InvalidRequest"),
        ({"x-amz-sdk-checksum-algorithm": "CRC16"}, "InvalidRequest"),
    ],
)
def test_digests_are_held_against_the_body(node, s3, bucket, headers, code):
    answer = send(node, Signed(f"/{bucket}/k", headers=headers).sign(), PAYLOAD)
    assert (answer.status, answer.code) == (400, code)
    assert nothing_is_stored(s3, bucket)
