"""Encryption at rest: with the server's keys, and with the client's."""

import base64
import hashlib
import os

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from rs3gw.storage.core.sealed import frame_span, sealed_size

LARGE = hashlib.shake_128(b"secret").digest(6 * 2**20)
SMALL_BYTES_MAX = 16 * 1024
SMALL = b"a small secret that is kept in the database"
KEY = hashlib.sha256(b"customer").digest()
CUSTOMER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": KEY}
OTHER = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": bytes(32)}
SOURCE = {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": KEY}


def code_of(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def on_disk(node, needle):
    """Return whether any file of the node holds these bytes."""
    files = [path for path in node.directory.rglob("*") if path.is_file()]
    return any(needle in path.read_bytes() for path in files)


@pytest.mark.parametrize("size", [0, 100, 200_000])
def test_what_the_server_encrypts_is_not_on_disk(node, s3, bucket, size):
    body = hashlib.shake_128(f"{bucket} {size}".encode()).digest(size)
    answer = s3.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption="AES256")
    assert answer["ServerSideEncryption"] == "AES256"
    assert answer["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == body
    assert found["ServerSideEncryption"] == "AES256" and found["ContentLength"] == len(body)
    if size > SMALL_BYTES_MAX:
        # A small body may be in a database elsewhere; a large one is a file of this node.
        assert not on_disk(node, body[:40])
        s3.put_object(Bucket=bucket, Key="open", Body=body)
        assert on_disk(node, body[:40])


def test_ranges_of_an_encrypted_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=LARGE, ServerSideEncryption="AES256")
    for first, last in ((0, 0), (65_535, 65_536), (100_000, 3_000_000), (len(LARGE) - 5, None)):
        wanted = f"bytes={first}-{'' if last is None else last}"
        found = s3.get_object(Bucket=bucket, Key="k", Range=wanted)["Body"].read()
        assert found == LARGE[first : None if last is None else last + 1]


def test_the_default_of_the_bucket_encrypts(node, s3, bucket):
    assert code_of(s3.get_bucket_encryption, Bucket=bucket) == (
        "ServerSideEncryptionConfigurationNotFoundError"
    )
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    rules = {"Rules": [{**default, "BucketKeyEnabled": False}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert found == rules
    body = b"encrypted by default " + bucket.encode()
    body = body * 1000
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
    assert not on_disk(node, body[:100])
    s3.delete_bucket_encryption(Bucket=bucket)
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="k2", Body=b"")


def test_a_key_service_is_refused(s3, bucket):
    code = code_of(s3.put_object, Bucket=bucket, Key="k", ServerSideEncryption="aws:kms")
    assert code == "NotImplemented"


def test_an_object_of_the_clients_key_needs_that_key(s3, bucket):
    named = {"Bucket": bucket, "Key": "k"}
    answer = s3.put_object(**named, Body=LARGE, **CUSTOMER)
    assert answer["SSECustomerAlgorithm"] == "AES256"
    digest = base64.b64encode(hashlib.md5(KEY).digest()).decode()
    assert answer["SSECustomerKeyMD5"] == digest
    assert s3.get_object(**named, **CUSTOMER)["Body"].read() == LARGE
    assert s3.head_object(**named, **CUSTOMER)["ContentLength"] == len(LARGE)
    assert code_of(s3.get_object, **named) == "InvalidRequest"
    assert code_of(s3.get_object, **named, **OTHER) == "AccessDenied"
    assert code_of(s3.head_object, **named) == "400"


def test_a_key_for_what_is_not_encrypted_is_refused(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert code_of(s3.get_object, Bucket=bucket, Key="k", **CUSTOMER) == "InvalidRequest"


@pytest.mark.parametrize(
    "wrong",
    [
        {"SSECustomerKey": KEY},
        {"SSECustomerAlgorithm": "AES128", "SSECustomerKey": KEY},
        {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"short"},
        {
            "SSECustomerAlgorithm": "AES256",
            "SSECustomerKey": base64.b64encode(KEY).decode(),
            "SSECustomerKeyMD5": base64.b64encode(bytes(16)).decode(),
        },
        {**CUSTOMER, "ServerSideEncryption": "AES256"},
    ],
)
def test_a_key_that_cannot_be_stores_nothing(s3, bucket, wrong):
    code = code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", **wrong)
    assert code in {"InvalidArgument", "InvalidEncryptionAlgorithmError"}
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("how", [{"ServerSideEncryption": "AES256"}, CUSTOMER], ids=["s3", "c"])
def test_parts_are_encrypted(node, s3, bucket, how):
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named, **how)["UploadId"]
    per_part = how if how is CUSTOMER else {}
    parts = []
    for number, body in ((1, LARGE), (2, SMALL)):
        answer = s3.upload_part(**named, UploadId=upload, PartNumber=number, Body=body, **per_part)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(**named, **per_part)["Body"].read() == LARGE + SMALL
    around = f"bytes={len(LARGE) - 3}-{len(LARGE) + 2}"
    found = s3.get_object(**named, **per_part, Range=around)["Body"].read()
    assert found == LARGE[-3:] + SMALL[:3]
    if how is CUSTOMER:
        code = code_of(s3.get_object, **named)
        assert code == "InvalidRequest"


def test_a_part_must_bring_the_key_that_its_upload_began_with(s3, bucket):
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named, **CUSTOMER)["UploadId"]
    part = {**named, "UploadId": upload, "PartNumber": 1, "Body": SMALL}
    assert code_of(s3.upload_part, **part) == "InvalidRequest"
    assert code_of(s3.upload_part, **part, **OTHER) == "InvalidRequest"
    plain = s3.create_multipart_upload(**named, ServerSideEncryption="AES256")["UploadId"]
    assert code_of(s3.upload_part, **part | {"UploadId": plain}, **CUSTOMER) == "InvalidRequest"
    assert "Parts" not in s3.list_parts(**named, UploadId=upload)


@pytest.mark.parametrize(
    ("begun", "per_part"),
    [({}, {}), ({"ServerSideEncryption": "AES256"}, {}), (OTHER, OTHER)],
    ids=["plain", "s3", "c"],
)
def test_parts_are_copied_from_an_encrypted_object(s3, bucket, begun, per_part):
    s3.put_object(Bucket=bucket, Key="source", Body=LARGE, **CUSTOMER)
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named, **begun)["UploadId"]
    parts = []
    for number, (first, last) in ((1, (10, 5 * 2**20 + 9)), (2, (65_535, 65_537))):
        result = s3.upload_part_copy(
            **named,
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "source"},
            CopySourceRange=f"bytes={first}-{last}",
            **SOURCE,
            **per_part,
        )
        parts.append({"PartNumber": number, "ETag": result["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})
    found = s3.get_object(**named, **per_part)["Body"].read()
    assert found == LARGE[10 : 5 * 2**20 + 10] + LARGE[65_535:65_538]


def test_the_default_of_the_bucket_encrypts_uploads_and_copies(s3, bucket):
    s3.put_object(Bucket=bucket, Key="open", Body=SMALL)
    default = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [default]})
    named = {"Bucket": bucket, "Key": "k"}
    upload = s3.create_multipart_upload(**named)
    assert upload["ServerSideEncryption"] == "AES256"
    part = s3.upload_part(**named, UploadId=upload["UploadId"], PartNumber=1, Body=SMALL)
    assert part["ServerSideEncryption"] == "AES256"
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(**named, UploadId=upload["UploadId"], MultipartUpload=parts)
    assert done["ServerSideEncryption"] == "AES256"
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/open")
    assert copied["ServerSideEncryption"] == "AES256"
    for key in ("k", "copy"):
        found = s3.get_object(Bucket=bucket, Key=key)
        assert found["Body"].read() == SMALL and found["ServerSideEncryption"] == "AES256"


def damaged(node, s3, bucket, change):
    """Store an encrypted object, change its file, and return how reading it goes."""
    body = os.urandom(300_000)
    before = set((node.directory / "blobs").rglob("*"))
    s3.put_object(Bucket=bucket, Key="k", Body=body, ServerSideEncryption="AES256")
    [path] = [p for p in (node.directory / "blobs").rglob("*") if p.is_file() and p not in before]
    stored = path.read_bytes()
    assert len(stored) == sealed_size(len(body))
    path.write_bytes(change(stored))
    return body, s3.get_object


def test_a_file_damaged_at_its_beginning_is_an_error(node, s3, bucket):
    _, get = damaged(node, s3, bucket, lambda stored: stored[:100] + b"?" + stored[101:])
    assert code_of(get, Bucket=bucket, Key="k") == "InternalError"


def test_a_file_damaged_further_on_ends_the_answer(node, s3, bucket):
    place = frame_span(200_000, 1, 300_000).offset + 5
    body, get = damaged(
        node, s3, bucket, lambda s: s[:place] + bytes([s[place] ^ 1]) + s[place + 1 :]
    )
    with pytest.raises((ResponseStreamingError, IncompleteReadError)):
        get(Bucket=bucket, Key="k")["Body"].read()
    whole = get(Bucket=bucket, Key="k", Range="bytes=0-65535")["Body"].read()
    assert whole == body[:65_536]


def test_copies_change_how_they_are_encrypted(s3, bucket):
    def copied(key, source, **more):
        s3.copy_object(Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": source}, **more)

    s3.put_object(Bucket=bucket, Key="plain", Body=SMALL)
    copied("sealed", "plain", ServerSideEncryption="AES256")
    assert s3.head_object(Bucket=bucket, Key="sealed")["ServerSideEncryption"] == "AES256"
    copied("again", "sealed")
    assert s3.get_object(Bucket=bucket, Key="again")["Body"].read() == SMALL
    copied("customer", "sealed", **CUSTOMER)
    assert s3.get_object(Bucket=bucket, Key="customer", **CUSTOMER)["Body"].read() == SMALL
    copied("open", "customer", **SOURCE)
    found = s3.get_object(Bucket=bucket, Key="open")
    assert found["Body"].read() == SMALL and "ServerSideEncryption" not in found
    code = code_of(
        s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "customer"}
    )
    assert code == "InvalidRequest"


def test_a_form_can_ask_for_encryption(s3, bucket):
    import requests

    field = {"x-amz-server-side-encryption": "AES256"}
    made = s3.generate_presigned_post(bucket, "k", Fields=dict(field), Conditions=[field])
    answer = requests.post(made["url"], data=made["fields"], files={"file": SMALL}, timeout=10)
    assert answer.status_code == 204, answer.text
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"
