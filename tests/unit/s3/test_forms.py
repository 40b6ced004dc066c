"""Browser forms and their policies."""

import base64
import json
from datetime import UTC, datetime

import pytest

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.forms import boundary_of, read_form
from rs3gw.s3.core.post_policy import parse_post_policy, with_filename

BOUNDARY = "XYZ"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
LATER = "2026-11-24T00:00:00.000Z"


def reader(body, step=7):
    position = 0

    def read(_):
        nonlocal position
        piece = body[position : position + step]
        position += len(piece)
        return piece

    return read


def body_of(*parts, end=True):
    text = "".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"
        for head, value in parts
    )
    return (text + (f"--{BOUNDARY}--\r\n" if end else "")).encode()


def code(call, *arguments, **more):
    with pytest.raises(S3Error) as caught:
        call(*arguments, **more)
    return caught.value.code


@pytest.mark.parametrize("step", [1, 2, 3, 5, 64, 10_000])
def test_fields_and_file_are_read_at_any_step(step):
    body = body_of(
        ('name="Key"', "a/${filename}"),
        ("name=acl", ""),
        ('name="file"; filename="C:\\dir\\grüße.txt"', "one\r\n--XY\r\ntwo"),
        ('name="late"', "ignored"),
    )
    form = read_form(reader(body, step), BOUNDARY.encode())
    assert form.fields == {"key": "a/${filename}", "acl": ""}
    assert form.filename == "grüße.txt"
    assert b"".join(form.file) == b"one\r\n--XY\r\ntwo"


@pytest.mark.parametrize(
    ("head", "filename"),
    [
        ("name=file", ""),
        ('name="file"; filename=""', ""),
        ("name=file; filename=plain.txt", "plain.txt"),
        ('filename="a; name=key.txt"; name="file"', "a; name=key.txt"),
        (r'name="file"; filename="say \"hi\".txt"', 'say "hi".txt'),
        ('name="file"; filename="x"; filename*=UTF-8\'\'%c3%bc%20.txt', "ü .txt"),
        ("name=\"file\"; filename*=iso-8859-1'en'%fc.txt", "ü.txt"),
        ('name="file"; filename="x"; filename*=koi8-r\'\'%c3', "x"),
        ('name="file"; filename="../../etc/passwd"', "passwd"),
    ],
)
def test_the_name_of_the_file_is_read(head, filename):
    form = read_form(reader(body_of((head, "x"))), BOUNDARY.encode())
    assert form.filename == filename
    assert b"".join(form.file) == b"x"


@pytest.mark.parametrize(
    "content",
    [
        "\r\n--XYZ1\r\n",
        "\r\n--XYZ",
        "\r\n--XYZ-\r\n",
        "\r\n--XYZ" + " " * 40,
        "--XYZ--",
        "\r\n--XYZ\r",
    ],
)
@pytest.mark.parametrize("step", [1, 4, 10_000])
def test_what_is_only_like_a_boundary_is_content(content, step):
    # A letter behind: what the boundary is followed by must not come from the end of the content.
    body = body_of(("name=file", content + "x"))
    form = read_form(reader(body, step), BOUNDARY.encode())
    assert b"".join(form.file).decode() == content + "x"


@pytest.mark.parametrize("end", ["--", "--\r\n", "--epilogue", " \t\r\n"])
def test_a_boundary_ends_the_file_whatever_follows_it(end):
    body = body_of(("name=file", "x"), end=False) + f"--{BOUNDARY}{end}".encode()
    assert b"".join(read_form(reader(body, 1), BOUNDARY.encode()).file) == b"x"


def test_a_boundary_without_its_end_is_a_body_that_was_cut_off():
    body = body_of(("name=file", "x"), end=False) + f"--{BOUNDARY}-".encode()
    form = read_form(reader(body), BOUNDARY.encode())
    assert code(lambda: list(form.file)) == "IncompleteBody"


def test_a_body_that_never_begins_is_refused():
    body = b"x" * 30_000 + body_of(("name=key", "k"))
    assert code(read_form, reader(body, 4096), BOUNDARY.encode()) == "MalformedPOSTRequest"


@pytest.mark.parametrize("head", ["", "filename=x", 'name=""', "\xff"])
def test_a_part_without_a_name_is_refused(head):
    assert code(read_form, reader(body_of((head, "x"))), b"XYZ") == "MalformedPOSTRequest"


def test_a_preamble_is_skipped():
    body = b"anything\r\n" + body_of(("name=key", "k"), ('name="file"', "x"))
    assert read_form(reader(body), BOUNDARY.encode()).fields == {"key": "k"}


def test_a_body_that_is_cut_off_is_refused():
    body = body_of(("name=file", "x" * 100), end=False)[:-20]
    form = read_form(reader(body), BOUNDARY.encode())
    assert code(lambda: list(form.file)) == "IncompleteBody"


def test_too_much_before_the_file_is_refused():
    many = body_of(*((f"name=f{i}", "v" * 300) for i in range(90)))
    assert code(read_form, reader(many, 4096), BOUNDARY.encode()) == "MaxPostPreDataLengthExceeded"
    long = f"--{BOUNDARY}\r\nX: {'y' * 20_000}".encode()
    assert code(read_form, reader(long, 4096), BOUNDARY.encode()) == "MalformedPOSTRequest"


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
    ],
)
def test_the_boundary_is_read(content_type, boundary):
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data"])
def test_a_body_that_is_no_form_is_refused(content_type):
    assert code(boundary_of, content_type) == "PreconditionFailed"


def policy(*conditions, expiration=LATER, **more):
    document = {"expiration": expiration, "conditions": list(conditions), **more}
    return base64.b64encode(json.dumps(document).encode()).decode()


def check(text, fields, bucket="photos"):
    parse_post_policy(text).check(fields, bucket=bucket, now=NOW)


def test_a_form_that_meets_its_policy_is_accepted():
    text = policy(
        {"bucket": "photos"},
        ["starts-with", "$key", "user/"],
        ["eq", "$ACL", "private"],
        ["starts-with", "$Content-Type", "image/"],
    )
    fields = {
        "key": "user/x",
        "acl": "private",
        "content-type": "image/png,image/gif",
        "x-ignore-me": "1",
        "policy": text,
        "signature": "s",
        "awsaccesskeyid": "a",
    }
    check(text, fields)
    for change in ({"key": "other"}, {"acl": "public"}, {"content-type": "image/a,text/b"}):
        assert code(check, text, fields | change) == "AccessDenied"
    assert code(check, text, fields, bucket="elsewhere") == "AccessDenied"
    assert code(check, text, fields | {"extra": "1"}) == "AccessDenied"


def test_a_field_that_is_missing_meets_no_condition():
    assert code(check, policy(["starts-with", "$content-type", ""]), {}) == "AccessDenied"
    check(policy(["starts-with", "$content-type", ""]), {"content-type": ""})


def test_a_dollar_may_be_escaped():
    conditions = r'[["eq", "$key", "\$a\\$b\v"]]'
    text = f'{{"expiration": "{LATER}", "conditions": {conditions}}}'
    encoded = base64.encodebytes(text.encode()).decode()
    check(encoded, {"key": "$a\\$b\v"})


def test_every_range_of_sizes_holds():
    found = parse_post_policy(
        policy(["content-length-range", 2, 9], ["content-length-range", "0", "4"])
    )
    assert found.size_range == (2, 4)


def test_the_name_of_the_file_is_put_into_all_fields_but_those_that_sign():
    fields = dict.fromkeys(["key", "x-amz-meta-name", "policy", "signature"], "a/${filename}")
    assert with_filename(fields, "b") == fields | {"key": "a/b", "x-amz-meta-name": "a/b"}


def test_an_expired_policy_is_refused():
    assert code(check, policy(expiration="2026-11-22T00:00:00Z"), {}) == "AccessDenied"


def test_the_size_of_the_file_has_a_range():
    found = parse_post_policy(policy(["content-length-range", 2, 4]))
    found.check_size(3)
    found.check_size(1, is_whole=False)
    assert code(found.check_size, 1) == "EntityTooSmall"
    assert code(found.check_size, 5, is_whole=False) == "EntityTooLarge"


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b'{"conditions": []}').decode(),
        base64.b64encode(json.dumps({"expiration": LATER}).encode()).decode(),
        policy(expiration="tomorrow"),
        policy({}),
        policy(["eq", "key", "k"]),
        policy(["ends-with", "$key", "k"]),
        policy(["content-length-range", 1]),
        policy(["content-length-range", -1, 5]),
        policy(["content-length-range", 0, float("inf")]),
        policy(["content-length-range", 0, True]),
        policy(["content-length-range", 0, "²"]),
        policy(expiration="2026-11-24 00:00:00+00:00"),
        policy(expiration="2026-11-24"),
        policy(expiration="2026-13-24T00:00:00Z"),
        policy(expiration=5),
        policy({"key": 5}),
        policy("key"),
    ],
)
def test_a_malformed_policy_is_refused(text):
    assert code(parse_post_policy, text) == "InvalidPolicyDocument"
