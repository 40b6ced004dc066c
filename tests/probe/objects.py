"""Writing and comparing many objects at once."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import ClientError

from tests.probe.cluster import wait_until


def body_of(seed, size_bytes):
    """Return bytes that look random and can be made again from the seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size_bytes)


def put_many(s3, bucket, bodies, *, threads=8):
    """Write {key: body} with several threads; any failure is raised."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]),
                      bodies.items()))  # fmt: skip


def read(s3, bucket, key):
    """Return an object's bytes, None when there is none."""
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None
        raise


def digest(body):
    """Return the SHA-256 of a body."""
    return hashlib.sha256(body).hexdigest()


def different_keys(s3, bucket, bodies, *, threads=8):
    """Return the keys whose bytes on this node are not those of `bodies`."""
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda key: read(s3, bucket, key), bodies)
        return [key for key, body in zip(bodies, found, strict=True) if body != bodies[key]]


def list_all(s3, bucket, prefix=""):
    """Return {key: size} of a bucket; empty while the bucket is unknown here."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return {}
        raise


def wait_for_bodies(s3, bucket, bodies, deadline_seconds, where):
    """Wait until all of {key: body} can be read on a node, byte for byte."""
    keys = set(bodies)
    wait_until(
        lambda: keys <= set(list_all(s3, bucket)),
        deadline_seconds,
        f"{len(keys)} keys of {bucket} are listed on {where}",
    )
    left = dict(bodies)

    def check():
        for key in set(left) - set(different_keys(s3, bucket, left)):
            del left[key]
        return not left

    wait_until(check, deadline_seconds, f"{bucket} is byte-identical on {where}")
