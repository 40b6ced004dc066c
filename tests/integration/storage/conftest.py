"""A node's store on the test database."""

import uuid
from dataclasses import replace

import pytest

from rs3gw.common import clock
from rs3gw.storage import blobs, commit, rows, services
from rs3gw.storage.core.objects import Entry


@pytest.fixture
def store(db):
    services.init_clock()


@pytest.fixture
def bucket(store):
    stamp, _ = rows.take_stamp(0, clock.now_ms())
    return services.insert_bucket(
        name="photos", incarnation=uuid.uuid4(), owner="root", region="us-east-1", stamp=stamp
    )


@pytest.fixture
def put(bucket):
    def write(key, data=b"data", into=bucket):
        body = blobs.stage([data])
        body.install()
        entry = Entry(
            bucket_id=into.pk, key=key, actor=0, seq=0, hlc=0, last_modified=clock.utcnow()
        )
        entry = replace(
            entry, etag=body.md5_hex, sha256=body.sha256_hex, size_bytes=body.size_bytes
        )

        def change():
            stamp, _ = rows.take_stamp(services.shard_of(into.name, key), clock.now_ms())
            return services.write_entry(entry, stamp=stamp, inline=body.inline)

        return commit.run(change)

    return write
