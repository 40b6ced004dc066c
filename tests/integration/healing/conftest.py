"""A node among pretended members, for tests of where bodies lie."""

import os
import shutil

import pytest
from django.conf import settings as django_settings

from cluster import conf, selectors, transport
from replication import body_sources, services
from replication.doorbell import Doorbell
from rs3gw.common import identity
from rs3gw.storage import blobs, upkeep
from rs3gw.storage import services as storage
from rs3gw.storage.core.objects import ObjectHeaders
from tests.integration.healing.region import Region, create_row

LARGE_BYTES = 50_000


@pytest.fixture
def region(db, settings, monkeypatch):
    """Put node-1, which is real, into a region whose other members are pretended."""
    settings.RS3GW_CLUSTER_ENABLED = True
    settings.RS3GW_CLUSTER_SEED_NODES = []
    settings.RS3GW_REPLICATION_FACTOR = 2
    settings.RS3GW_BLOB_GRACE_SECONDS = 0.0
    for forget in (conf.forget, selectors.forget, body_sources.memory.clear):
        forget()
    identity.ensure()
    storage.init_clock()
    create_row(identity.load().node_id, is_self=True)
    made = Region()
    for name in ("request", "send_stream", "open_stream"):
        method = getattr(made, name)

        def call(client, *args, _method=method, **kwargs):
            return _method(client, *args, **kwargs)

        monkeypatch.setattr(transport.PeerClient, name, call)
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)
    yield made
    body_sources.memory.clear()
    shutil.rmtree(upkeep.aside_directory(), ignore_errors=True)


@pytest.fixture
def bucket(region):
    return services.create_bucket(name="photos")


@pytest.fixture
def put(bucket):
    """Store an object of random bytes here; the value is (sha256, bytes, entry)."""

    def write(key, size_bytes=LARGE_BYTES):
        data = os.urandom(size_bytes)
        body = blobs.stage([data])
        entry = services.put_object(bucket=bucket, key=key, body=body, headers=ObjectHeaders())
        path = blobs.file_path(entry.sha256)
        if path.exists():
            os.utime(path, (1, 1))
        assert (len(data) <= django_settings.RS3GW_INLINE_BODY_MAX_BYTES) != path.exists()
        return entry.sha256, data, entry

    return write
