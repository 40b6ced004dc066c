"""Pure parts of the S3 protocol."""

import contextlib
import hashlib
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rs3gw.s3.core import chunked, conditions, names, ranges, routes, sigv4, xml
from rs3gw.s3.core.errors import S3Error, error_xml
from rs3gw.storage.core import checksums

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextlib.contextmanager
def refused(code):
    with pytest.raises(S3Error) as caught:
        yield
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("header", "size_bytes", "span"),
    [
        ("bytes=0-0", 10, (0, 1)),
        ("bytes=2-", 10, (2, 8)),
        ("bytes=-3", 10, (7, 3)),
        ("bytes=-30", 10, (0, 10)),
        ("bytes=5-100", 10, (5, 5)),
        ("bytes=5-4", 10, None),
        ("items=0-1", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("bytes=-", 10, None),
    ],
)
def test_ranges(header, size_bytes, span):
    assert ranges.parse_range(header, size_bytes) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header):
    with refused("InvalidRange"):
        ranges.parse_range(header, 10)


def read(**headers):
    given_headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return conditions.check_read(given_headers, etag="abc", last_modified=NOW)


def test_read_conditions():
    assert read(if_match='"abc"')
    assert read(if_match="*")
    assert not read(if_none_match='"abc"')
    assert read(if_none_match='"other"')
    assert not read(if_modified_since="Fri, 02 Jan 2026 03:04:05 GMT")
    assert read(if_modified_since="Fri, 02 Jan 2026 03:04:04 GMT")
    assert read(if_modified_since="nonsense")
    with refused("PreconditionFailed"):
        read(if_match='"other"')
    with refused("PreconditionFailed"):
        read(if_unmodified_since="Fri, 02 Jan 2026 03:04:04 GMT")


def test_if_match_counts_before_if_unmodified_since():
    assert read(if_match='"abc"', if_unmodified_since="Thu, 01 Jan 2026 00:00:00 GMT")


def test_write_conditions():
    conditions.check_write({"if-none-match": "*"}, current_etag=None)
    conditions.check_write({"if-match": '"abc"'}, current_etag="abc")
    with refused("PreconditionFailed"):
        conditions.check_write({"if-none-match": "*"}, current_etag="abc")
    with refused("PreconditionFailed"):
        conditions.check_write({"if-match": '"x"'}, current_etag="abc")
    with refused("NoSuchKey"):
        conditions.check_write({"if-match": '"x"'}, current_etag=None)


@pytest.mark.parametrize("name", ["abc", "a.b-c", "0ab", "a" * 63])
def test_good_bucket_names(name):
    names.check_bucket_name(name)


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", "a..b", "1.2.3.4", "admin", "api", "é" * 4]
)
def test_bad_bucket_names(name):
    with refused("InvalidBucketName"):
        names.check_bucket_name(name)


def test_keys_are_limited_in_bytes():
    names.check_key("é" * 512)
    with refused("KeyTooLongError"):
        names.check_key("é" * 513)
    with refused("InvalidArgument"):
        names.check_key("a\x00b")


@pytest.mark.parametrize(
    ("method", "bucket", "key", "query", "operation"),
    [
        ("GET", "", "", {}, "ListBuckets"),
        ("GET", "b", "", {"list-type": "2", "prefix": "x"}, "ListObjects"),
        ("PUT", "b", "k", {}, "PutObject"),
        ("PUT", "b", "k", {"partNumber": "1", "uploadId": "u"}, "UploadPart"),
        ("POST", "b", "k", {"uploads": ""}, "CreateMultipartUpload"),
        ("POST", "b", "", {"delete": ""}, "DeleteObjects"),
        ("GET", "b", "k", {"X-Amz-Signature": "s", "response-content-type": "t"}, "GetObject"),
    ],
)
def test_routes(method, bucket, key, query, operation):
    assert (
        routes.operation_of(method, routes.Target(bucket, key), query, is_copy=False) == operation
    )


def test_a_copy_is_a_put_with_a_source():
    target = routes.Target("b", "k")
    assert routes.operation_of("PUT", target, {}, is_copy=True) == "CopyObject"


@pytest.mark.parametrize("sub_resource", ["torrent", "analytics", "inventory", "metrics", "select"])
def test_what_is_not_built_says_so(sub_resource):
    with refused("NotImplemented"):
        routes.operation_of("GET", routes.Target("b"), {sub_resource: ""}, is_copy=False)


@pytest.mark.parametrize(
    ("path", "host", "target"),
    [
        ("/b/a%2Fb//..//c+d%25", "h:9000", routes.Target("b", "a/b//..//c+d%")),
        ("/k/x", "photos.s3.example.com:9000", routes.Target("photos", "k/x")),
        ("/b", "s3.example.com", routes.Target("b", "")),
    ],
)
def test_targets(path, host, target):
    assert routes.target_of(path, host, "s3.example.com") == target


def test_a_path_that_is_not_utf8_is_refused():
    with refused("InvalidArgument"):
        routes.target_of("/b/%FF", "h", "")


# --- XML -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<Delete>",
        b"<Delete><Object/></Delete>",
        b"<Other/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
        b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>",
    ],
)
def test_bad_documents_are_refused(body):
    with refused("MalformedXML"):
        xml.parse_delete(body)


@given(st.binary(max_size=300))
def test_no_document_crashes_the_parser(body):
    try:
        xml.parse_complete(body)
    except S3Error as error:
        assert error.code == "MalformedXML"


@given(st.text(max_size=40))
def test_every_key_survives_an_answer(key):
    answer = xml.document("R", xml.tag("Key", key))
    kept = xml.parse(answer).findtext("Key")
    if key.isprintable():
        assert kept == key


def test_tags_are_checked():
    with refused("InvalidTag"):
        xml.check_tags([("a", "1"), ("a", "2")], tags_max=10)
    with refused("InvalidTag"):
        xml.check_tags([("", "1")], tags_max=10)
    with refused("InvalidTag"):
        xml.check_tags([(str(n), "") for n in range(11)], tags_max=10)


def test_an_error_escapes_what_it_quotes():
    error = S3Error("AccessDenied", "<b>", details={"Region": "<r>"})
    body = error_xml(error, resource="/a&b", request_id="1", host_id="2")
    assert b"<Region>&lt;r&gt;</Region>" in body
    assert b"&lt;b&gt;" in body
    assert b"/a&amp;b" in body


# --- aws-chunked ---------------------------------------------------------------------------


def reader(data, step):
    position = 0

    def read_some(_):
        nonlocal position
        piece = data[position : position + step]
        position += step
        return piece

    return read_some


def unsigned(payload, size, trailers=b""):
    pieces = [payload[i : i + size] for i in range(0, len(payload), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces)
    return chunks + b"0\r\n" + trailers + b"\r\n"


@given(st.binary(max_size=400), st.integers(1, 50), st.integers(1, 60))
def test_any_chunking_and_any_reads_give_the_payload(payload, size, step):
    data = unsigned(payload, size, b"x-amz-checksum-crc32:AAAA\r\n")
    body = chunked.ChunkedBody(reader(data, step), decoded_bytes=len(payload), signer=None)
    assert b"".join(body) == payload
    assert body.trailers == {"x-amz-checksum-crc32": "AAAA"}


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_cut_or_overlong_body_is_refused(payload, data):
    whole = unsigned(payload, 16)
    cut = whole[: data.draw(st.integers(0, len(whole) - 6))]
    with refused("IncompleteBody"):
        list(chunked.ChunkedBody(reader(cut, 7), decoded_bytes=len(payload), signer=None))
    with refused("IncompleteBody"):
        list(chunked.ChunkedBody(reader(whole, 7), decoded_bytes=len(payload) - 1, signer=None))


@pytest.mark.parametrize(
    "line", [b"x-a:1\r\n", b"x-amz-trailer-signature:x\r\n", b"x-\xff:\xff\r\n"]
)
def test_trailers_are_bounded_however_they_are_named(line):
    body = chunked.ChunkedBody(reader(b"0\r\n" + line * 17, 64), decoded_bytes=0, signer=None)
    with refused("MalformedTrailerError"):
        list(body)


def test_tiny_chunks_are_not_copied_for_each_other():
    data = unsigned(b"x" * 200_000, 1)
    begun = time.process_time()
    assert len(list(chunked.ChunkedBody(reader(data, 1 << 18), decoded_bytes=200_000, signer=None)))
    few = time.process_time() - begun
    begun = time.process_time()
    assert len(list(chunked.ChunkedBody(reader(data, 1 << 10), decoded_bytes=200_000, signer=None)))
    assert few < 3 * (time.process_time() - begun)


def signed_body(payload, key, scope, seed):
    date = "20260101T000000Z"
    previous, data = seed, b""
    for piece in (payload, b""):
        digest = hashlib.sha256(piece).hexdigest()
        lines = ["AWS4-HMAC-SHA256-PAYLOAD", date, scope, previous, sigv4.EMPTY_SHA256, digest]
        previous = sigv4.sign(key, "\n".join(lines))
        data += b"%x;chunk-signature=%b\r\n%b\r\n" % (len(piece), previous.encode(), piece)
    return data, chunked.ChunkSigner(key, date, scope, seed)


def test_signed_chunks_are_verified():
    key, scope = sigv4.signing_key("secret", "20260101/r/s3/aws4_request"), "scope"
    data, signer = signed_body(b"hello world", key, scope, "seed")
    body = chunked.ChunkedBody(reader(data, 9), decoded_bytes=11, signer=signer)
    assert b"".join(body) == b"hello world"


def test_a_changed_chunk_is_refused():
    key, scope = sigv4.signing_key("secret", "20260101/r/s3/aws4_request"), "scope"
    data, signer = signed_body(b"hello world", key, scope, "seed")
    changed = data.replace(b"hello", b"hullo")
    with refused("SignatureDoesNotMatch"):
        list(chunked.ChunkedBody(reader(changed, 9), decoded_bytes=11, signer=signer))


# --- signatures ----------------------------------------------------------------------------


def claim(**changes):
    fields = {
        "access_key_id": "AK",
        "scope": "20260102/us-east-1/s3/aws4_request",
        "signed_headers": ("host",),
        "signature": "0" * 64,
        "amz_date": "20260102T030405Z",
    }
    return sigv4.Claim(**(fields | changes))


def test_a_request_is_good_for_fifteen_minutes():
    sigv4.check_time(claim(), NOW.timestamp() + 899)
    with refused("RequestTimeTooSkewed"):
        sigv4.check_time(claim(), NOW.timestamp() + 901)
    with refused("RequestTimeTooSkewed"):
        sigv4.check_time(claim(), NOW.timestamp() - 901)


def test_a_presigned_url_is_good_until_it_expires():
    sigv4.check_time(claim(expires_seconds=60), NOW.timestamp() + 59)
    with refused("AccessDenied"):
        sigv4.check_time(claim(expires_seconds=60), NOW.timestamp() + 61)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "AWS AK:signature",
        "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/s3/aws4_request",
        "AWS4-HMAC-SHA256 Credential=AK/x, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=AK/d/r/s3/aws4_request, SignedHeaders=date, Signature="
        + "0" * 64,
    ],
)
def test_malformed_authorisations_are_refused(header):
    with refused("AuthorizationHeaderMalformed"):
        sigv4.claim_from_header(header, "20260102T030405Z")


# --- checksums -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("crc32", "y/Q5Jg=="),
        ("crc32c", "4waSgw=="),
        ("crc64nvme", "rosUhgp5mIg="),
        ("sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
        ("sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
    ],
)
def test_checksums_have_their_check_values(algorithm, value):
    hasher = checksums.new_hasher(algorithm)
    hasher.update(b"1234")
    hasher.update(b"56789")
    assert hasher.base64() == value
    assert checksums.is_well_formed(algorithm, hasher.base64())
    assert not checksums.is_well_formed(algorithm, "AA==")
