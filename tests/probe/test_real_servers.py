"""Nodes on the servers that production has: PostgreSQL for the database, Redis for the broker."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from celery import Celery

from tests.probe.cluster import MANAGE, DevCluster, wait_until
from tests.servers import RedisServer


def test_nodes_on_postgresql_replicate_and_come_back():
    with DevCluster(topology="us-east-1:2", mode="sync", database="postgres") as cluster:
        first, second = cluster.nodes
        one, two = cluster.s3(first), cluster.s3(second)
        one.create_bucket(Bucket="photos")
        body = os.urandom(3 * 2**20)
        one.put_object(Bucket="photos", Key="small", Body=b"hello")
        one.put_object(Bucket="photos", Key="large", Body=body)
        assert two.get_object(Bucket="photos", Key="small")["Body"].read() == b"hello"
        assert two.get_object(Bucket="photos", Key="large")["Body"].read() == body
        cluster.kill(second["node_id"])
        cluster.restart(second["node_id"])
        assert two.get_object(Bucket="photos", Key="large")["Body"].read() == body
        two.delete_object(Bucket="photos", Key="small")
        assert one.list_objects_v2(Bucket="photos")["KeyCount"] == 1


def test_a_worker_takes_its_work_from_a_redis_of_ones_own():
    redis = RedisServer()
    redis.start()
    directory = tempfile.mkdtemp(prefix="rs3gw-worker-")
    env = os.environ | {"RS3GW_DATA_DIR": directory, "RS3GW_BROKER_URL": redis.url}
    with (Path(directory) / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, str(MANAGE), "worker"], env=env, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        application = Celery("probe", broker=redis.url, set_as_current=False)

        def answering():
            return {name for answer in application.control.ping(timeout=0.5) for name in answer}

        wait_until(lambda: len(answering()) == 2, 30, "both workers answer")
        application.close()
    finally:
        worker.terminate()
        worker.wait(timeout=20)
        redis.stop()
