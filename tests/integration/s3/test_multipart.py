"""Uploads in parts against one node: order, sizes, lists, checksums, repetition."""

import base64
import hashlib

import pytest
from botocore.exceptions import ClientError

from rs3gw.storage.core.checksums import new_hasher

MIB = 2**20
PARTS = [b"a" * (5 * MIB), b"b" * (5 * MIB), b"c" * 1000]
WHOLE = b"".join(PARTS)


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


@pytest.fixture
def named(bucket):
    return {"Bucket": bucket, "Key": "dir/k ü"}


def begin(s3, named, **more):
    return {**named, "UploadId": s3.create_multipart_upload(**named, **more)["UploadId"]}


def send(s3, here, number, body, **more):
    answer = s3.upload_part(**here, PartNumber=number, Body=body, **more)
    kept = {name: value for name, value in answer.items() if name.startswith("Checksum")}
    return {"PartNumber": number, "ETag": answer["ETag"], **kept}


def complete(s3, here, parts, **more):
    return s3.complete_multipart_upload(**here, MultipartUpload={"Parts": parts}, **more)


def test_parts_become_one_object(s3, named):
    here = begin(s3, named, Metadata={"color": "red"}, ContentType="text/x", Tagging="a=1")
    sent = [send(s3, here, n, PARTS[n - 1]) for n in (3, 1, 2)]
    answer = complete(s3, here, sorted(sent, key=lambda p: p["PartNumber"]))
    md5s = b"".join(hashlib.md5(part).digest() for part in PARTS)
    assert answer["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    assert answer["Location"].startswith("http://127.0.0.1")
    found = s3.get_object(**named)
    assert found["Body"].read() == WHOLE
    assert (found["Metadata"], found["ContentType"], found["TagCount"]) == (
        {"color": "red"},
        "text/x",
        1,
    )
    second = s3.get_object(**named, PartNumber=2)
    assert second["PartsCount"] == 3 and second["Body"].read() == PARTS[1]


def test_a_repeated_completion_hears_the_same(s3, named):
    here = begin(s3, named)
    parts = [send(s3, here, 1, b"only")]
    first = complete(s3, here, parts)
    assert complete(s3, here, parts)["ETag"] == first["ETag"]
    assert code_of(s3.upload_part, **here, PartNumber=1, Body=b"late") == "NoSuchUpload"
    assert code_of(s3.abort_multipart_upload, **here) == "NoSuchUpload"


def test_an_aborted_upload_is_gone(s3, named):
    here = begin(s3, named)
    part = send(s3, here, 1, b"x")
    s3.abort_multipart_upload(**here)
    assert code_of(complete, s3=s3, here=here, parts=[part]) == "NoSuchUpload"
    assert code_of(s3.abort_multipart_upload, **here) == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=named["Bucket"])


def test_what_does_not_fit_is_refused_and_the_upload_goes_on(s3, named):
    here = begin(s3, named)
    small = [send(s3, here, n, b"x" * n) for n in (1, 2)]
    other = {"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}

    def refusal(*parts, **more):
        return code_of(complete, s3=s3, here=here, parts=list(parts), **more)

    assert refusal(*small) == "EntityTooSmall"
    assert refusal(*reversed(small)) == "InvalidPartOrder"
    assert refusal(small[0], small[0]) == "InvalidPartOrder"
    assert refusal(other) == "InvalidPart"
    assert refusal({"PartNumber": 9, "ETag": small[0]["ETag"]}) == "InvalidPart"
    assert refusal(small[0], MpuObjectSize=2) == "InvalidRequest"
    assert refusal() == "MalformedXML"
    assert refusal(small[0], IfMatch='"none"') == "NoSuchKey"
    complete(s3, here, [small[0]], MpuObjectSize=1, IfNoneMatch="*")


def test_conditions_are_held(s3, named):
    tag = s3.put_object(**named, Body=b"there")["ETag"]
    here = begin(s3, named)
    part = send(s3, here, 1, b"new")
    code = code_of(complete, s3=s3, here=here, parts=[part], IfNoneMatch="*")
    assert code == "PreconditionFailed"
    complete(s3, here, [part], IfMatch=tag)
    assert s3.get_object(**named)["Body"].read() == b"new"


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_have_a_range(s3, named, number):
    here = begin(s3, named)
    assert code_of(s3.upload_part, **here, PartNumber=number, Body=b"") == "InvalidArgument"


def test_parts_are_listed_in_pages(s3, named):
    here = begin(s3, named, ChecksumAlgorithm="SHA256")
    for number in (7, 3, 5):
        send(s3, here, number, b"x" * number, ChecksumAlgorithm="SHA256")
    page = s3.list_parts(**here, MaxParts=2)
    assert [part["PartNumber"] for part in page["Parts"]] == [3, 5]
    assert page["IsTruncated"] and page["NextPartNumberMarker"] == 5
    assert page["ChecksumAlgorithm"] == "SHA256" and page["ChecksumType"] == "COMPOSITE"
    assert page["Owner"]["ID"] == page["Initiator"]["ID"] == "root"
    digest = base64.b64encode(hashlib.sha256(b"xxx").digest()).decode()
    assert page["Parts"][0]["ChecksumSHA256"] == digest
    rest = s3.list_parts(**here, PartNumberMarker=5)
    assert [part["Size"] for part in rest["Parts"]] == [7]


def test_uploads_are_listed_in_pages_and_groups(s3, bucket):
    begun = []
    for key in ("a", "b/1", "b/2", "b/2", "c"):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
        begun.append((key, upload))
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 2}
    )
    found = [(u["Key"], u["UploadId"]) for page in pages for u in page.get("Uploads", [])]
    assert found == sorted(begun)
    page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [u["Key"] for u in page["Uploads"]] == ["a", "c"]
    assert page["CommonPrefixes"] == [{"Prefix": "b/"}]
    only = s3.list_multipart_uploads(Bucket=bucket, Prefix="b/", MaxUploads=1)
    assert only["IsTruncated"] and len(only["Uploads"]) == 1


def test_parts_are_copied_whole_and_in_ranges(s3, named, bucket):
    s3.put_object(Bucket=bucket, Key="source", Body=WHOLE)
    here = begin(s3, named)
    source = {"Bucket": bucket, "Key": "source"}
    parts = []
    for number, span in ((1, f"bytes=0-{6 * MIB - 1}"), (2, f"bytes={6 * MIB}-{len(WHOLE) - 1}")):
        answer = s3.upload_part_copy(
            **here, PartNumber=number, CopySource=source, CopySourceRange=span
        )
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    complete(s3, here, parts)
    assert s3.get_object(**named)["Body"].read() == WHOLE


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ("bytes=0-", "InvalidArgument"),
        ("bytes=5-2", "InvalidArgument"),
        ("0-5", "InvalidArgument"),
        ("bytes=0-10", "InvalidRange"),
    ],
)
def test_a_range_outside_the_source_is_refused(s3, named, bucket, span, code):
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    here = begin(s3, named)
    source = {"Bucket": bucket, "Key": "source"}
    found = code_of(
        s3.upload_part_copy, **here, PartNumber=1, CopySource=source, CopySourceRange=span
    )
    assert found == code


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_the_checksum_of_the_whole(s3, named, algorithm, kind):
    here = begin(s3, named, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = [
        send(s3, here, n, body, ChecksumAlgorithm=algorithm) for n, body in enumerate(PARTS, 1)
    ]
    name = f"Checksum{algorithm}"
    hasher = new_hasher(algorithm.lower())
    if kind == "FULL_OBJECT":
        hasher.update(WHOLE)
        expected = hasher.base64()
    else:
        for part in parts:
            hasher.update(base64.b64decode(part[name]))
        expected = f"{hasher.base64()}-3"
    wrong = {name: base64.b64encode(bytes(len(base64.b64decode(parts[0][name])))).decode()}
    assert code_of(complete, s3=s3, here=here, parts=parts, **wrong) == "BadDigest"
    broken = [{**parts[0], **wrong}, *parts[1:]]
    assert code_of(complete, s3=s3, here=here, parts=broken) == "InvalidPart"
    assert code_of(complete, s3=s3, here=here, parts=parts, **{name: "bad"}) == "InvalidRequest"
    answer = complete(s3, here, parts, **{name: expected})
    assert (answer[name], answer["ChecksumType"]) == (expected, kind)
    head = s3.head_object(**named, ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (expected, kind)
    wanted = ["ObjectParts", "Checksum"]
    attributes = s3.get_object_attributes(**named, ObjectAttributes=wanted)
    assert attributes["ObjectParts"]["TotalPartsCount"] == 3
    listed = [part[name] for part in attributes["ObjectParts"]["Parts"]]
    assert listed == [part[name] for part in parts]


@pytest.mark.parametrize(
    ("algorithm", "kind"), [("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")]
)
def test_a_checksum_that_cannot_be_combined_is_refused(s3, named, algorithm, kind):
    more = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    assert code_of(s3.create_multipart_upload, **named, **more) == "InvalidRequest"


def test_a_part_with_another_checksum_than_the_upload_is_refused(s3, named):
    here = begin(s3, named, ChecksumAlgorithm="SHA256")
    more = {"PartNumber": 1, "Body": b"x", "ChecksumAlgorithm": "CRC32"}
    assert code_of(s3.upload_part, **here, **more) == "InvalidRequest"


def test_versions_of_objects_in_parts(s3, named, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    here = begin(s3, named)
    version = complete(s3, here, [send(s3, here, 1, b"one")])["VersionId"]
    assert s3.head_object(**named)["VersionId"] == version


def test_the_longest_list_of_parts_is_read(s3, named):
    here = begin(s3, named, ChecksumAlgorithm="SHA256")
    part = send(s3, here, 1, b"x", ChecksumAlgorithm="SHA256")
    parts = [{**part, "PartNumber": number} for number in range(1, 10_001)]
    # It is understood whole: only the first of them was uploaded.
    assert code_of(complete, s3=s3, here=here, parts=parts) == "InvalidPart"
    s3.abort_multipart_upload(**here)
