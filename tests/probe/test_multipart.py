"""Uploads whose requests arrive at different nodes, as behind a load balancer."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from tests.probe.cluster import wait_until
from tests.probe.objects import body_of, read

PART_BYTES = 5 * 2**20
SEEN_SECONDS = 30


@pytest.fixture
def clients(cluster, east, bucket):
    """A client of each node, once all of them know the bucket."""
    clients = [cluster.s3(node) for node in east]
    for client in clients:
        wait_until(lambda c=client: _knows(c, bucket), SEEN_SECONDS, f"{bucket} is known")
    return clients


@pytest.fixture
def mended(cluster):
    """Leave a whole cluster behind, whatever the test did."""
    yield
    for node in cluster.status()["nodes"]:
        if node["state"] != "running":
            cluster.restart(node["node_id"])
    cluster.wait_healthy()


def _knows(client, bucket):
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError:
        return False
    return True


def failure_of(call, **options):
    """Return code and status of a request that is refused."""
    with pytest.raises(ClientError) as caught:
        call(**options)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


class Upload:
    """An upload whose requests each go to a client that the test chooses."""

    def __init__(self, client, bucket, key, **options):
        created = client.create_multipart_upload(Bucket=bucket, Key=key, **options)
        self.here = {"Bucket": bucket, "Key": key, "UploadId": created["UploadId"]}
        self.named = {}

    def put(self, client, number, body):
        answer = client.upload_part(**self.here, PartNumber=number, Body=body)
        self.named[number] = {"PartNumber": number, "ETag": answer["ETag"]}

    def options(self):
        parts = [self.named[number] for number in sorted(self.named)]
        return {**self.here, "MultipartUpload": {"Parts": parts}}

    def complete(self, client):
        return client.complete_multipart_upload(**self.options())


def listed(client, bucket):
    return {
        upload["UploadId"] for upload in client.list_multipart_uploads(Bucket=bucket).get(
            "Uploads", []
        )
    }  # fmt: skip


def test_parts_at_three_nodes_become_one_object(clients, bucket):
    bodies = [body_of(f"{bucket} {n}", PART_BYTES) for n in range(3)] + [b"tail"]
    upload = Upload(
        clients[0], bucket, "m", ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT",
        Metadata={"colour": "blue"},
    )  # fmt: skip
    for number, body in enumerate(bodies, start=1):
        upload.put(clients[(number - 1) % 3], number, body)
    # A part that is uploaded again elsewhere replaces the first.
    upload.put(clients[2], 2, bodies[1][::-1])
    bodies[1] = bodies[1][::-1]

    for client in clients:
        parts = client.list_parts(**upload.here, MaxParts=3)
        assert [part["Size"] for part in parts["Parts"]] == [PART_BYTES] * 3
        assert parts["IsTruncated"] is True
        assert parts["Parts"][1]["ETag"] == upload.named[2]["ETag"]
        assert upload.here["UploadId"] in listed(client, bucket)

    done = upload.complete(clients[1])
    assert done["ETag"].endswith('-4"')
    for client in clients:
        wait_until(
            lambda c=client: read(c, bucket, "m") == b"".join(bodies),
            SEEN_SECONDS,
            "the object is byte-identical",
        )
        head = client.head_object(Bucket=bucket, Key="m", ChecksumMode="ENABLED")
        assert (head["ETag"], head["Metadata"]) == (done["ETag"], {"colour": "blue"})
        assert head["ChecksumCRC32"] == done["ChecksumCRC32"]
        again = upload.complete(client)
        assert (again["ETag"], again["ChecksumCRC32"]) == (done["ETag"], done["ChecksumCRC32"])
        assert failure_of(client.list_parts, **upload.here) == ("NoSuchUpload", 404)
        late = {**upload.here, "PartNumber": 9, "Body": b"late"}
        assert failure_of(client.upload_part, **late) == ("NoSuchUpload", 404)
        assert upload.here["UploadId"] not in listed(client, bucket)


def test_any_node_aborts_an_upload(clients, bucket):
    upload = Upload(clients[0], bucket, "m")
    for number, client in enumerate(clients, start=1):
        upload.put(client, number, body_of(number, PART_BYTES))
    clients[2].abort_multipart_upload(**upload.here)
    for client in clients:
        assert failure_of(client.abort_multipart_upload, **upload.here) == ("NoSuchUpload", 404)
        assert failure_of(client.list_parts, **upload.here) == ("NoSuchUpload", 404)
        refused = failure_of(client.complete_multipart_upload, **upload.options())
        assert refused == ("NoSuchUpload", 404)
        assert listed(client, bucket) == set()
        assert read(client, bucket, "m") is None


def test_lists_of_uploads_are_those_of_all_nodes(clients, bucket):
    keys = ["a/1", "a/2", "b", "b", "c/1", "d"]
    uploads = [Upload(clients[i % 3], bucket, key) for i, key in enumerate(keys)]
    for client in clients:
        pages = client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 2}
        )
        found = [(item["Key"], item["UploadId"]) for page in pages for item in page["Uploads"]]
        assert found == sorted((u.here["Key"], u.here["UploadId"]) for u in uploads)
        page = client.list_multipart_uploads(Bucket=bucket, Delimiter="/", MaxUploads=2)
        assert [group["Prefix"] for group in page["CommonPrefixes"]] == ["a/"]
        assert [item["Key"] for item in page["Uploads"]] == ["b"]
        assert page["IsTruncated"] is True


def test_completing_at_all_nodes_at_once_makes_one_object(clients, bucket):
    upload = Upload(clients[0], bucket, "m")
    bodies = [body_of(f"{bucket} {n}", PART_BYTES) for n in range(3)]
    for number, (client, body) in enumerate(zip(clients, bodies, strict=True), start=1):
        upload.put(client, number, body)

    def complete(client):
        try:
            return upload.complete(client)["ETag"]
        except ClientError as error:
            # One that finds another at it is told to retry.
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503
            return upload.complete(clients[0])["ETag"]

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(complete, clients))) == 1
    for client in clients:
        wait_until(
            lambda c=client: read(c, bucket, "m") == b"".join(bodies),
            SEEN_SECONDS,
            "the object is byte-identical",
        )
        assert listed(client, bucket) == set()


@pytest.mark.usefixtures("mended")
def test_a_part_at_a_dead_node_is_waited_for(cluster, east, clients, bucket):
    upload = Upload(clients[0], bucket, "m")
    bodies = [body_of(f"{bucket} {n}", PART_BYTES) for n in range(3)]
    for number, (client, body) in enumerate(zip(clients, bodies, strict=True), start=1):
        upload.put(client, number, body)
    dead = east[2]["node_id"]
    cluster.kill(dead)
    refused = failure_of(clients[1].complete_multipart_upload, **upload.options())
    assert refused == ("ServiceUnavailable", 503)
    parts = clients[1].list_parts(**upload.here)["Parts"]
    assert [part["PartNumber"] for part in parts] == [1, 2]

    cluster.restart(dead)
    cluster.wait_healthy()
    upload.complete(clients[1])
    for client in clients:
        wait_until(
            lambda c=client: read(c, bucket, "m") == b"".join(bodies),
            SEEN_SECONDS,
            "the object is byte-identical",
        )


@pytest.mark.usefixtures("mended")
def test_a_node_that_was_away_hears_that_an_upload_is_over(cluster, east, clients, bucket):
    upload = Upload(clients[0], bucket, "m")
    upload.put(clients[1], 1, b"first")
    home = east[0]["node_id"]
    cluster.kill(home)
    # The copy of the record that the part brought to this node is enough.
    done = wait_until(
        lambda: _try(lambda: upload.complete(clients[1])), SEEN_SECONDS, "the upload completes"
    )
    cluster.restart(home)
    cluster.wait_healthy()
    wait_until(
        lambda: upload.here["UploadId"] not in listed(clients[0], bucket),
        150,
        "the node that was away drops the upload",
    )
    assert upload.complete(clients[0])["ETag"] == done["ETag"]


def _try(call):
    try:
        return call()
    except ClientError:
        return None
