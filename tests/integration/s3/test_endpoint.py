"""The S3 endpoint as boto3 and raw sockets see it."""

import hashlib
import http.client
import os
import socket
import urllib.request

import pytest
from botocore.exceptions import ClientError

from rs3gw.s3.core.xml import parse

LARGE = os.urandom(6 * 2**20)
HOSTILE_KEYS = ["a b+c", "é/ü", "//x//", "../..", "%2F%", "a" * 1024, "<&>'\"", "\u202e𐍈", "a\tb"]


def code_of(call, **options):
    with pytest.raises(ClientError) as caught:
        call(**options)
    return caught.value.response["Error"]["Code"]


def test_an_object_comes_back_as_it_was_stored(s3, bucket):
    stored = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="no-cache",
        Metadata={"colour": "blue", "empty": ""},
        Tagging="a=1&b=2",
    )
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"hello"
    assert got["ETag"] == stored["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    assert got["ContentType"] == "text/plain"
    assert got["CacheControl"] == "no-cache"
    assert got["Metadata"] == {"colour": "blue", "empty": ""}
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "2"}


@pytest.mark.parametrize("size_bytes", [0, 1, 16 * 1024, 16 * 1024 + 1, len(LARGE)])
def test_every_size_comes_back_whole(s3, bucket, size_bytes):
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE[:size_bytes])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == LARGE[:size_bytes]


@pytest.mark.parametrize("key", HOSTILE_KEYS)
def test_hostile_keys_are_just_keys(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"x"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert code_of(s3.get_object, Bucket=bucket, Key=key) == "NoSuchKey"


def test_ranges_and_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=LARGE)["ETag"]
    got = s3.get_object(Bucket=bucket, Key="k", Range="bytes=100000-200000")
    assert got["Body"].read() == LARGE[100000:200001]
    assert got["ContentRange"] == f"bytes 100000-200000/{len(LARGE)}"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfMatch='"x"') == "PreconditionFailed"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=etag) == "304"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", Range="bytes=9999999-") == "InvalidRange"
    refused = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")
    assert refused == "PreconditionFailed"


def test_multipart(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m", ContentType="a/b")["UploadId"]
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["UploadId"] == upload
    parts = []
    for number, body in ((1, LARGE), (2, b"tail")):
        tag = s3.upload_part(Bucket=bucket, Key="m", UploadId=upload, PartNumber=number, Body=body)[
            "ETag"
        ]
        parts.append({"PartNumber": number, "ETag": tag})
    listed = s3.list_parts(Bucket=bucket, Key="m", UploadId=upload)["Parts"]
    assert [part["Size"] for part in listed] == [len(LARGE), 4]
    assert code_of(s3.get_object, Bucket=bucket, Key="m") == "NoSuchKey"
    done = s3.complete_multipart_upload(
        Bucket=bucket, Key="m", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert done["ETag"].endswith('-2"')
    assert s3.get_object(Bucket=bucket, Key="m")["Body"].read() == LARGE + b"tail"
    second = s3.get_object(Bucket=bucket, Key="m", PartNumber=2)
    assert second["Body"].read() == b"tail"
    again = code_of(s3.list_parts, Bucket=bucket, Key="m", UploadId=upload)
    assert again == "NoSuchUpload"


def test_multipart_mistakes_are_named(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    here = {"Bucket": bucket, "Key": "m", "UploadId": upload}
    tags = [s3.upload_part(**here, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in zip((1, 2), tags, strict=True)]

    def complete(chosen):
        return code_of(s3.complete_multipart_upload, **here, MultipartUpload={"Parts": chosen})

    assert complete(parts) == "EntityTooSmall"
    assert complete(parts[::-1]) == "InvalidPartOrder"
    assert complete([{"PartNumber": 3, "ETag": "x"}]) == "InvalidPart"
    s3.abort_multipart_upload(**here)
    assert code_of(s3.abort_multipart_upload, **here) == "NoSuchUpload"


def test_copies(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=LARGE, Metadata={"x": "1"})
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "a"})
    got = s3.get_object(Bucket=bucket, Key="b")
    assert (got["Body"].read(), got["Metadata"]) == (LARGE, {"x": "1"})
    source = {"Bucket": bucket, "Key": "a"}
    assert code_of(s3.copy_object, Bucket=bucket, Key="a", CopySource=source) == "InvalidRequest"
    s3.copy_object(
        Bucket=bucket, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"y": "2"}
    )
    assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"y": "2"}


@pytest.mark.parametrize(("sent", "read"), [("a+b", "a b"), ("c%2Bd", "c+d"), ("c+d", "c+d")])
def test_a_plus_in_a_copy_source_is_a_space_or_itself(s3, bucket, sent, read):
    for key in ("a b", "c+d"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    def send_raw(params, **_):
        params["headers"]["x-amz-copy-source"] = f"{bucket}/{sent}"

    s3.meta.events.register("before-call.s3.CopyObject", send_raw, unique_id="raw")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/any")
    s3.meta.events.unregister("before-call.s3.CopyObject", unique_id="raw")
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read().decode() == read


def test_deleting_many(s3, bucket):
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")
    objects = [{"Key": f"k{number}"} for number in range(4)] + [{"Key": "never"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert len(done["Deleted"]) == 5
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize("call", ["list_objects", "list_objects_v2"])
def test_lists_page_in_byte_order(s3, bucket, call):
    keys = sorted(["a", "a/1", "a/2", "b", "c/1", "é", "z"], key=str.encode)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    found, groups = [], []
    pages = s3.get_paginator(call).paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 2}
    )
    for page in pages:
        found += [entry["Key"] for entry in page.get("Contents", [])]
        groups += [group["Prefix"] for group in page.get("CommonPrefixes", [])]
    assert found == ["a", "b", "z", "é"]
    assert groups == ["a/", "c/"]


def test_buckets(s3, bucket):
    assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    s3.head_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert code_of(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    assert code_of(s3.head_bucket, Bucket="never-made") == "404"
    assert code_of(s3.create_bucket, Bucket="admin") == "InvalidBucketName"


def test_policy_and_tags_of_a_bucket(s3, bucket):
    assert code_of(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"
    statement = (
        '{"Effect":"Deny", "Principal":"*","Action":"s3:DeleteObject", '
        f'"Resource":"arn:aws:s3:::{bucket}/x"}}'
    )
    policy = f'{{"Version": "2012-10-17",  "Statement": [ {statement}]}}'
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    s3.delete_bucket_policy(Bucket=bucket)
    assert code_of(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"
    tags = [{"Key": "team", "Value": "ops"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == "NoSuchTagSet"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_verified_and_returned(s3, bucket, algorithm):
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE, ChecksumAlgorithm=algorithm)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head[f"Checksum{algorithm}"]
    wrong = {f"Checksum{algorithm}": head[f"Checksum{algorithm}"]}
    assert code_of(s3.put_object, Bucket=bucket, Key="w", Body=b"x", **wrong) == "BadDigest"
    assert code_of(s3.head_object, Bucket=bucket, Key="w") == "404"


def test_content_md5_is_verified(s3, bucket):
    wrong = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="a" * 22 + "==")
    assert wrong == "BadDigest"
    malformed = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5="abc")
    assert malformed == "InvalidDigest"


def test_presigned_urls(s3, bucket):
    options = {"Bucket": bucket, "Key": "p q"}
    put = urllib.request.Request(
        s3.generate_presigned_url("put_object", Params=options), data=b"by url", method="PUT"
    )
    with urllib.request.urlopen(put, timeout=10) as answer:
        assert answer.status == 200
    params = options | {"ResponseContentType": "text/x"}
    with urllib.request.urlopen(
        s3.generate_presigned_url("get_object", Params=params), timeout=10
    ) as answer:
        assert answer.read() == b"by url"
        assert answer.headers["Content-Type"] == "text/x"


def test_what_is_not_built_answers_in_xml(s3, bucket):
    assert code_of(s3.list_bucket_metrics_configurations, Bucket=bucket) == "NotImplemented"


def exchange(node, request):
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as sock:
        sock.sendall(request)
        answer = b""
        while chunk := sock.recv(65536):
            answer += chunk
        return answer


def test_an_unsigned_request_is_refused_before_its_body(node, bucket):
    head = "Host: h\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n"
    answer = exchange(node, f"PUT /{bucket}/k HTTP/1.1\r\n{head}".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"100 Continue" not in answer
    assert parse(answer.partition(b"\r\n\r\n")[2]).findtext("Code") == "AccessDenied"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /b/k HTTP/1.1\r\nHost: h\r\nAuthorization: AWS AK:c2lnbmF0dXJl\r\n",
        b"GET /b/k?AWSAccessKeyId=AK&Signature=x&Expires=1 HTTP/1.1\r\nHost: h\r\n",
    ],
)
def test_signature_version_2_is_refused_by_name(node, request_bytes):
    answer = exchange(node, request_bytes + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"AWS4-HMAC-SHA256" in answer


def test_a_head_that_fails_has_no_body(node, bucket):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=10)
    connection.request("HEAD", f"/{bucket}/k")
    answer = connection.getresponse()
    assert answer.status == 403
    assert answer.read() == b""
    connection.close()


def test_a_wrong_secret_is_refused(node, s3, bucket):
    import boto3
    from botocore.config import Config

    forger = boto3.client(
        "s3",
        endpoint_url=node.url,
        aws_access_key_id="RSTESTACCESSKEY",
        aws_secret_access_key="guessed",
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    assert code_of(forger.list_objects_v2, Bucket=bucket) == "SignatureDoesNotMatch"
