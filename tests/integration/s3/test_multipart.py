"""Uploads in parts against one node, as boto3 sees them."""

import base64
import hashlib
import os
import re
import urllib.request

import pytest
from awscrt import checksums
from botocore.exceptions import ClientError

PART = os.urandom(5 * 2**20)
OTHER = os.urandom(5 * 2**20 + 17)
TAIL = b"tail"
COMPOSITES = ["CRC32", "CRC32C", "SHA1", "SHA256"]
FULL = ["CRC32", "CRC32C", "CRC64NVME"]


def error_of(call, **options):
    with pytest.raises(ClientError) as caught:
        call(**options)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def code_of(call, **options):
    return error_of(call, **options)[0]


def digest_of(algorithm, data):
    name = algorithm.lower()
    if name.startswith("crc"):
        size = 8 if name == "crc64nvme" else 4
        return getattr(checksums, name)(data, 0).to_bytes(size, "big")
    return hashlib.new(name, data).digest()


def text_of(digest):
    return base64.b64encode(digest).decode()


class Upload:
    """An upload of one test."""

    def __init__(self, s3, bucket, key="m", **options):
        self.s3 = s3
        self.created = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)
        self.here = {"Bucket": bucket, "Key": key, "UploadId": self.created["UploadId"]}
        self.parts = {}

    def put(self, number, body, **options):
        answer = self.s3.upload_part(**self.here, PartNumber=number, Body=body, **options)
        self.parts[number] = {"PartNumber": number, "ETag": answer["ETag"]}
        return answer

    @property
    def named(self):
        return {"Parts": [self.parts[number] for number in sorted(self.parts)]}

    def complete(self, named=None, **options):
        return self.s3.complete_multipart_upload(
            **self.here, MultipartUpload=named or self.named, **options
        )

    def refused(self, named=None, **options):
        return code_of(
            self.s3.complete_multipart_upload,
            **self.here,
            MultipartUpload=named or self.named,
            **options,
        )

    def abort(self):
        self.s3.abort_multipart_upload(**self.here)


def test_parts_become_an_object(s3, bucket, node):
    upload = Upload(s3, bucket, ContentType="a/b", Metadata={"x": "1"})
    upload.put(1, PART)
    upload.put(7, OTHER)
    upload.put(10_000, TAIL)
    done = upload.complete()
    md5s = b"".join(hashlib.md5(body).digest() for body in (PART, OTHER, TAIL))
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    assert done["Location"] == f"{node.url}/{bucket}/m"
    assert "VersionId" not in done
    got = s3.get_object(Bucket=bucket, Key="m")
    assert got["Body"].read() == PART + OTHER + TAIL
    assert (got["ContentType"], got["Metadata"]) == ("a/b", {"x": "1"})


def test_a_part_that_is_uploaded_again_replaces_the_first(s3, bucket):
    upload = Upload(s3, bucket)
    old = upload.put(1, PART)["ETag"]
    upload.put(1, TAIL)
    assert upload.refused({"Parts": [{"PartNumber": 1, "ETag": old}]}) == "InvalidPart"
    upload.complete()
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == TAIL


def test_completing_twice_is_answered_twice_and_then_the_upload_is_gone(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, TAIL)
    first, second = upload.complete(), upload.complete()
    assert first["ETag"] == second["ETag"]
    other = {"Parts": [{"PartNumber": 2, "ETag": "x"}]}
    assert upload.refused(other) == "NoSuchUpload"
    assert code_of(s3.list_parts, **upload.here) == "NoSuchUpload"
    assert code_of(s3.upload_part, **upload.here, PartNumber=2, Body=b"") == "NoSuchUpload"
    assert error_of(s3.abort_multipart_upload, **upload.here) == ("NoSuchUpload", 404)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_aborted_upload_is_gone(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, TAIL)
    upload.abort()
    assert error_of(s3.abort_multipart_upload, **upload.here) == ("NoSuchUpload", 404)
    assert upload.refused() == "NoSuchUpload"


@pytest.mark.parametrize("upload_id", ["x", "é", "A" * 200, "0" * 40, "../../x", "node-1.abc"])
def test_an_upload_that_never_was_is_not_found(s3, bucket, upload_id):
    here = {"Bucket": bucket, "Key": "m", "UploadId": upload_id}
    assert error_of(s3.list_parts, **here) == ("NoSuchUpload", 404)
    assert code_of(s3.upload_part, **here, PartNumber=1, Body=b"x") == "NoSuchUpload"


def test_an_upload_belongs_to_its_key_and_bucket(s3, bucket):
    upload = Upload(s3, bucket)
    assert code_of(s3.list_parts, **(upload.here | {"Key": "n"})) == "NoSuchUpload"
    upload.abort()


@pytest.mark.parametrize("number", [0, 10_001, -1])
def test_part_numbers_have_a_range(s3, bucket, number):
    upload = Upload(s3, bucket)
    assert code_of(s3.upload_part, **upload.here, PartNumber=number, Body=b"") == "InvalidArgument"
    upload.abort()


def test_mistakes_in_the_list_are_named(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, TAIL)
    upload.put(2, TAIL)
    first, second = upload.named["Parts"]
    assert upload.refused() == "EntityTooSmall"
    assert upload.refused({"Parts": [second, first]}) == "InvalidPartOrder"
    assert upload.refused({"Parts": [first, first]}) == "InvalidPartOrder"
    assert upload.refused({"Parts": [first | {"ETag": "0" * 32}]}) == "InvalidPart"
    assert upload.refused({"Parts": [{"PartNumber": 3, "ETag": first["ETag"]}]}) == "InvalidPart"
    assert upload.refused({"Parts": []}) == "MalformedXML"
    unquoted = {"Parts": [first | {"ETag": first["ETag"].strip('"')}]}
    upload.complete(unquoted)


def test_conditions_are_checked_and_the_upload_stays(s3, bucket):
    s3.put_object(Bucket=bucket, Key="m", Body=b"there")
    upload = Upload(s3, bucket)
    upload.put(1, TAIL)
    assert upload.refused(IfNoneMatch="*") == "PreconditionFailed"
    assert upload.refused(IfMatch='"x"') == "PreconditionFailed"
    assert s3.list_parts(**upload.here)["Parts"][0]["Size"] == len(TAIL)
    upload.complete(IfMatch=f'"{hashlib.md5(b"there").hexdigest()}"')
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == TAIL


def test_the_size_that_the_client_expects_is_checked(s3, bucket):
    upload = Upload(s3, bucket)
    upload.put(1, TAIL)
    assert upload.refused(MpuObjectSize=5) == "InvalidRequest"
    upload.complete(MpuObjectSize=len(TAIL))


@pytest.mark.parametrize("algorithm", COMPOSITES)
def test_composite_checksums(s3, bucket, algorithm):
    field = f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm)
    assert upload.created["ChecksumAlgorithm"] == algorithm
    assert upload.created["ChecksumType"] == "COMPOSITE"
    digests = [digest_of(algorithm, body) for body in (PART, TAIL)]
    for number, body in ((1, PART), (2, TAIL)):
        answer = upload.put(number, body, ChecksumAlgorithm=algorithm)
        assert answer[field] == text_of(digests[number - 1])
        upload.parts[number][field] = answer[field]
    listed = s3.list_parts(**upload.here)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, "COMPOSITE")
    assert [part[field] for part in listed["Parts"]] == [text_of(digest) for digest in digests]
    wanted = text_of(digest_of(algorithm, b"".join(digests))) + "-2"

    wrong_part = {"Parts": [dict(part) for part in upload.named["Parts"]]}
    wrong_part["Parts"][0][field] = text_of(digests[1])
    assert upload.refused(wrong_part) == "InvalidPart"
    assert upload.refused(**{field: text_of(digests[0])}) == "BadDigest"
    assert upload.refused(**{field: "bad"}) == "InvalidRequest"
    assert upload.refused(ChecksumType="FULL_OBJECT") == "InvalidRequest"
    done = upload.complete(**{field: wanted})
    assert (done[field], done["ChecksumType"]) == (wanted, "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED")
    assert (head[field], head["ChecksumType"]) == (wanted, "COMPOSITE")


@pytest.mark.parametrize("algorithm", FULL)
def test_checksums_of_the_full_object(s3, bucket, algorithm):
    field = f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    for number, body in ((1, PART), (2, OTHER), (3, TAIL)):
        upload.put(number, body, ChecksumAlgorithm=algorithm)
    whole = text_of(digest_of(algorithm, PART + OTHER + TAIL))
    assert upload.refused(**{field: text_of(digest_of(algorithm, PART))}) == "BadDigest"
    done = upload.complete(**{field: whole})
    assert (done[field], done["ChecksumType"]) == (whole, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED")
    assert (head[field], head["ChecksumType"]) == (whole, "FULL_OBJECT")


def test_a_checksum_that_the_client_leaves_out_is_computed(node, s3, bucket):
    upload = Upload(s3, bucket, ChecksumAlgorithm="CRC64NVME")
    url = s3.generate_presigned_url("upload_part", Params={**upload.here, "PartNumber": 1})
    put = urllib.request.Request(url, data=TAIL, method="PUT")
    with urllib.request.urlopen(put, timeout=10) as answer:
        assert answer.headers["x-amz-checksum-crc64nvme"] == text_of(digest_of("CRC64NVME", TAIL))
    tag = s3.list_parts(**upload.here)["Parts"][0]["ETag"]
    done = upload.complete({"Parts": [{"PartNumber": 1, "ETag": tag}]})
    assert done["ChecksumCRC64NVME"] == text_of(digest_of("CRC64NVME", TAIL))


@pytest.mark.parametrize(
    "options",
    [
        {"ChecksumAlgorithm": "SHA256", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "SHA1", "ChecksumType": "FULL_OBJECT"},
        {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "COMPOSITE"},
        {"ChecksumAlgorithm": "CRC16"},
        {"ChecksumAlgorithm": "CRC32", "ChecksumType": "HALF"},
    ],
)
def test_checksums_that_do_not_exist_are_refused(s3, bucket, options):
    refused = code_of(s3.create_multipart_upload, Bucket=bucket, Key="m", **options)
    assert refused == "InvalidRequest"


def test_a_part_with_another_checksum_is_refused(s3, bucket):
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    options = {**upload.here, "PartNumber": 1, "Body": b"x", "ChecksumAlgorithm": "SHA1"}
    assert code_of(s3.upload_part, **options) == "InvalidRequest"
    upload.abort()


def test_lists_of_parts_are_paged(s3, bucket):
    upload = Upload(s3, bucket, StorageClass="STANDARD_IA")
    for number in (1, 3, 5, 7, 9):
        upload.put(number, b"x" * number)
    page = s3.list_parts(**upload.here, MaxParts=2)
    assert (page["IsTruncated"], page["NextPartNumberMarker"], page["MaxParts"]) == (True, 3, 2)
    assert page["StorageClass"] == "STANDARD_IA"
    assert page["Initiator"]["ID"] == page["Owner"]["ID"] == "root"
    pages = s3.get_paginator("list_parts").paginate(**upload.here, PaginationConfig={"PageSize": 2})
    found = [(part["PartNumber"], part["Size"]) for page in pages for part in page["Parts"]]
    assert found == [(number, number) for number in (1, 3, 5, 7, 9)]
    assert s3.list_parts(**upload.here, PartNumberMarker=9)["IsTruncated"] is False
    upload.abort()


def test_lists_of_uploads_are_paged_in_order(s3, bucket):
    keys = ["a/1", "a/2", "b", "b", "c/1", "d&<é>"]
    uploads = [Upload(s3, bucket, key) for key in keys]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    found = [(item["Key"], item["UploadId"]) for page in pages for item in page["Uploads"]]
    assert found == sorted((u.here["Key"], u.here["UploadId"]) for u in uploads)
    assert [key for key, _ in found] == keys
    for upload in uploads:
        upload.abort()


def test_lists_of_uploads_group_by_delimiter(s3, bucket):
    keys = ["a/1", "a/2", "b", "c/1", "c/2", "d"]
    uploads = [Upload(s3, bucket, key) for key in keys]
    found, groups, marker = [], [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=1, **marker)
        found += [item["Key"] for item in page.get("Uploads", [])]
        groups += [group["Prefix"] for group in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        marker = {
            "KeyMarker": page["NextKeyMarker"],
            "UploadIdMarker": page["NextUploadIdMarker"],
        }
    assert (found, groups) == (["b", "d"], ["a/", "c/"])
    inside = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", Prefix="c/")
    assert [item["Key"] for item in inside["Uploads"]] == ["c/1", "c/2"]
    behind = s3.list_multipart_uploads(Bucket=bucket, KeyMarker="b")
    assert [item["Key"] for item in behind["Uploads"]] == ["c/1", "c/2", "d"]
    for upload in uploads:
        upload.abort()


@pytest.mark.parametrize(
    "span", ["0-2", "bytes=0", "bytes=hello-world", "bytes=0-2,3-5", "bytes=3-1", "bytes=-5"]
)
def test_a_copy_range_has_one_form(s3, bucket, span):
    s3.put_object(Bucket=bucket, Key="source", Body=PART)
    upload = Upload(s3, bucket)
    copy = {**upload.here, "PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "source"}}
    assert code_of(s3.upload_part_copy, **copy, CopySourceRange=span) == "InvalidArgument"
    upload.abort()


def test_parts_are_copied_from_objects(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="source", Body=PART + TAIL)["ETag"]
    upload = Upload(s3, bucket, ChecksumAlgorithm="SHA256")
    copy = {**upload.here, "CopySource": {"Bucket": bucket, "Key": "source"}}
    first = s3.upload_part_copy(**copy, PartNumber=1, CopySourceRange=f"bytes=0-{len(PART) - 1}")
    second = s3.upload_part_copy(**copy, PartNumber=2, CopySourceIfMatch=etag)
    results = [first["CopyPartResult"], second["CopyPartResult"]]
    assert results[0]["ETag"] == f'"{hashlib.md5(PART).hexdigest()}"'
    assert results[1]["ChecksumSHA256"] == text_of(digest_of("SHA256", PART + TAIL))
    refused = error_of(s3.upload_part_copy, **copy, PartNumber=3, CopySourceIfMatch='"x"')
    assert refused == ("PreconditionFailed", 412)
    beyond = f"bytes=0-{len(PART + TAIL)}"
    assert code_of(s3.upload_part_copy, **copy, PartNumber=3, CopySourceRange=beyond) == (
        "InvalidRange"
    )
    parts = [{"PartNumber": n, "ETag": r["ETag"]} for n, r in enumerate(results, start=1)]
    upload.complete({"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == PART + PART + TAIL


def test_an_upload_id_needs_no_escaping(s3, bucket):
    upload = Upload(s3, bucket)
    assert re.fullmatch("[0-9a-z]{20,128}", upload.here["UploadId"])
    upload.abort()
