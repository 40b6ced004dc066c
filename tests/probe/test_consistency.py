"""Buckets that ask for more than the cluster's default, and clients that read what they wrote."""

import threading

import pytest
from botocore.exceptions import ClientError

from tests.probe.cluster import wait_until
from tests.probe.objects import read

ROUNDS = 5
WRITES = 60


@pytest.fixture
def careful(cluster, east, bucket):
    """A bucket whose writes and reads ask a majority, known as such by every node."""
    path = f"/api/buckets/{bucket}/consistency/"
    cluster.api(east[0], "PUT", path, {"write": "quorum", "read": "quorum"})
    for node in east:
        wait_until(
            lambda node=node: cluster.api(node, "GET", path)["read"] == "quorum",
            20,
            f"{node['node_id']} knows the setting",
        )
    return bucket


def test_one_of_many_conditional_creations_succeeds(cluster, east, careful):
    clients = [cluster.s3(node) for node in east]

    def create(key, number, outcomes):
        try:
            clients[number % 3].put_object(
                Bucket=careful, Key=key, Body=str(number).encode(), IfNoneMatch="*"
            )
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
        else:
            outcomes.append(number)

    for turn in range(ROUNDS):
        outcomes = []
        threads = [
            threading.Thread(target=create, args=(f"new-{turn}", number, outcomes))
            for number in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
        assert len(winners) == 1, outcomes
        assert set(outcomes) - set(winners) <= {"PreconditionFailed", "ConditionalRequestConflict"}
        assert read(clients[0], careful, f"new-{turn}") == str(winners[0]).encode()


def test_each_node_reads_what_another_one_just_confirmed(cluster, east, careful):
    clients = [cluster.s3(node) for node in east]
    for number in range(WRITES):
        body = str(number).encode()
        clients[number % 3].put_object(Bucket=careful, Key="counter", Body=body)
        assert read(clients[(number + 1) % 3], careful, "counter") == body


def test_a_client_reads_its_own_writes_on_another_node(cluster, east, bucket):
    path = f"/api/buckets/{bucket}/consistency/"
    cluster.api(east[0], "PUT", path, {"write": "async"})
    tokens = []

    def send_token(request, **_):
        request.headers["x-rs3gw-after"] = tokens[-1]

    writer, reader = cluster.s3(east[0]), cluster.s3(east[1])
    reader.meta.events.register("before-sign.s3.*", send_token)
    for number in range(WRITES):
        body = str(number).encode()
        answer = writer.put_object(Bucket=bucket, Key=f"k{number}", Body=body)
        tokens.append(answer["ResponseMetadata"]["HTTPHeaders"]["x-rs3gw-after"])
        assert read(reader, bucket, f"k{number}") == body
    tokens.append("1:999999999")
    assert read(reader, bucket, "k0") == b"0"
    with pytest.raises(ClientError) as caught:
        reader.list_objects_v2(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == "SlowDown"
    tokens.append("next Tuesday")
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket=bucket, Key="k0")
    assert caught.value.response["Error"]["Code"] == "InvalidArgument"
