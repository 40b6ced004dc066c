"""The parts of one upload come to several nodes, as behind a load balancer."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.probe.cluster import wait_until
from tests.probe.objects import body_of, read

MIB = 2**20
SECONDS = 90


def _code(call, **arguments):
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"]


def _wait_for_bucket(cluster, nodes, bucket):
    for node in nodes:
        s3 = cluster.s3(node)
        wait_until(lambda s3=s3: read(s3, bucket, "none") is None, 10, "the bucket")


def test_parts_on_three_nodes_become_one_object(cluster, east, bucket):
    first, second, third = (cluster.s3(node) for node in east)
    _wait_for_bucket(cluster, east, bucket)
    here = {"Bucket": bucket, "Key": "scattered"}
    upload = first.create_multipart_upload(**here, Metadata={"a": "b"})["UploadId"]
    here["UploadId"] = upload
    bodies = [body_of(f"part {n}", 5 * MIB) for n in range(3)] + [b"the small end"]
    sent = []
    for number, (s3, body) in enumerate(
        zip((second, third, first, third), bodies, strict=True), start=1
    ):
        # The first try of each part went to another node; the later one counts.
        (third if s3 is first else first).upload_part(**here, PartNumber=number, Body=b"old")
        answer = s3.upload_part(**here, PartNumber=number, Body=body)
        sent.append({"PartNumber": number, "ETag": answer["ETag"]})
    for s3 in (first, second, third):
        listed = s3.list_parts(**here)["Parts"]
        assert [(p["PartNumber"], p["ETag"]) for p in listed] == [
            (p["PartNumber"], p["ETag"]) for p in sent
        ]
        uploads = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
        assert [u["UploadId"] for u in uploads] == [upload]
    done = second.complete_multipart_upload(**here, MultipartUpload={"Parts": sent})
    whole = b"".join(bodies)
    for s3 in (first, second, third):
        wait_until(lambda s3=s3: read(s3, bucket, "scattered") == whole, SECONDS, "the object")
        assert s3.head_object(Bucket=bucket, Key="scattered")["Metadata"] == {"a": "b"}
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
        again = s3.complete_multipart_upload(**here, MultipartUpload={"Parts": sent})
        assert again["ETag"] == done["ETag"]
        assert _code(s3.upload_part, **here, PartNumber=1, Body=b"late") == "NoSuchUpload"


def test_an_upload_is_aborted_from_another_node(cluster, east, bucket):
    first, second, third = (cluster.s3(node) for node in east)
    _wait_for_bucket(cluster, east, bucket)
    here = {"Bucket": bucket, "Key": "given up"}
    here["UploadId"] = first.create_multipart_upload(**here)["UploadId"]
    second.upload_part(**here, PartNumber=1, Body=b"x")
    third.abort_multipart_upload(**here)
    for s3 in (first, second, third):
        assert _code(s3.list_parts, **here) == "NoSuchUpload"
        assert _code(s3.upload_part, **here, PartNumber=2, Body=b"y") == "NoSuchUpload"


def test_a_part_on_a_node_that_is_down_is_waited_for(cluster, east, bucket):
    first, _, third = (cluster.s3(node) for node in east)
    _wait_for_bucket(cluster, east, bucket)
    here = {"Bucket": bucket, "Key": "waits"}
    here["UploadId"] = first.create_multipart_upload(**here)["UploadId"]
    body = body_of(bucket, 100_000)
    tag = third.upload_part(**here, PartNumber=1, Body=body)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    name = east[2]["node_id"]
    cluster.command("kill", "--node", name)
    try:
        code = _code(first.complete_multipart_upload, **here, MultipartUpload=parts)
        assert code == "ServiceUnavailable"
    finally:
        cluster.command("restart", "--node", name)

    def is_completed():
        try:
            return first.complete_multipart_upload(**here, MultipartUpload=parts)
        except ClientError:
            return None

    wait_until(is_completed, 60, "the part is back")
    assert read(first, bucket, "waits") == body


def test_lists_are_those_of_all_nodes(cluster, east, bucket):
    clients = [cluster.s3(node) for node in east]
    _wait_for_bucket(cluster, east, bucket)
    keys = ["a/1", "a/2", "b", "b", "c/1", "d"]
    begun = [
        (key, clients[i % 3].create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
        for i, key in enumerate(keys)
    ]
    for s3 in clients:
        pages = s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 2}
        )
        found = [(item["Key"], item["UploadId"]) for page in pages for item in page["Uploads"]]
        assert found == sorted(begun)
        page = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=2)
        assert [group["Prefix"] for group in page["CommonPrefixes"]] == ["a/"]
        assert [item["Key"] for item in page["Uploads"]] == ["b"]
        assert page["IsTruncated"] is True


def test_completing_at_all_nodes_at_once_makes_one_object(cluster, east, bucket):
    clients = [cluster.s3(node) for node in east]
    _wait_for_bucket(cluster, east, bucket)
    here = {"Bucket": bucket, "Key": "raced"}
    here["UploadId"] = clients[0].create_multipart_upload(**here)["UploadId"]
    bodies = [body_of(f"raced {n}", 5 * MIB) for n in range(3)]
    sent = []
    for number, (s3, body) in enumerate(zip(clients, bodies, strict=True), start=1):
        tag = s3.upload_part(**here, PartNumber=number, Body=body)["ETag"]
        sent.append({"PartNumber": number, "ETag": tag})

    def complete(s3):
        try:
            return s3.complete_multipart_upload(**here, MultipartUpload={"Parts": sent})["ETag"]
        except ClientError as error:
            # One that finds another at it is told to try again.
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            return None

    def completed(s3):
        return wait_until(lambda: complete(s3), SECONDS, "the completion is answered")

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(completed, clients))) == 1
    for s3 in clients:
        wait_until(lambda s3=s3: read(s3, bucket, "raced") == b"".join(bodies), SECONDS, "it")
        assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_an_upload_whose_node_is_down_is_not_denied(cluster, east, bucket):
    first, second, _ = (cluster.s3(node) for node in east)
    _wait_for_bucket(cluster, east, bucket)
    here = {"Bucket": bucket, "Key": "unheard of"}
    here["UploadId"] = first.create_multipart_upload(**here)["UploadId"]
    home = east[0]["node_id"]
    cluster.kill(home)
    try:
        refused = _code(second.upload_part, **here, PartNumber=1, Body=b"x")
        assert refused == "ServiceUnavailable"
    finally:
        cluster.restart(home)
    wait_until(
        lambda: _try(second.upload_part, **here, PartNumber=1, Body=b"x"), 60, "the part is taken"
    )


def _try(call, **arguments):
    try:
        return call(**arguments)
    except ClientError:
        return None


def test_a_node_that_was_away_hears_that_an_upload_is_over(cluster, east, bucket):
    first, second, _ = (cluster.s3(node) for node in east)
    _wait_for_bucket(cluster, east, bucket)
    here = {"Bucket": bucket, "Key": "over"}
    here["UploadId"] = first.create_multipart_upload(**here)["UploadId"]
    tag = second.upload_part(**here, PartNumber=1, Body=b"first")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    home = east[0]["node_id"]
    cluster.kill(home)
    try:
        # The copy of the record that the part brought to this node is enough.
        done = wait_until(
            lambda: _try(second.complete_multipart_upload, **here, MultipartUpload=parts),
            SECONDS,
            "the upload completes",
        )
    finally:
        cluster.restart(home)
    # The other node tidies up once a minute.
    wait_until(
        lambda: "Uploads" not in first.list_multipart_uploads(Bucket=bucket),
        150,
        "the node that was away drops the upload",
    )
    again = first.complete_multipart_upload(**here, MultipartUpload=parts)
    assert again["ETag"] == done["ETag"]
