"""Bodies are whole or not there, and leave when nothing needs them."""

import hashlib
import os

import pytest
from django.conf import settings

from rs3gw.common import clock
from rs3gw.storage import blobs, collector, rows
from rs3gw.storage.core import sealed
from rs3gw.storage.errors import EntityTooLarge
from rs3gw.storage.models import InlineBody, ObjectVersion

LARGE = os.urandom(300_000)
LARGE_SHA256 = hashlib.sha256(LARGE).hexdigest()
HOUR_SECONDS = 3600.0
KEY = bytes(range(32))


def chunks(data, size_bytes=64 * 1024):
    return (data[start : start + size_bytes] for start in range(0, len(data), size_bytes))


def incoming_files():
    return list(blobs.incoming_directory().iterdir())


def test_a_small_body_stays_in_memory():
    body = blobs.stage([b"he", b"llo"])
    assert body.inline == b"hello"
    assert body.md5_hex == hashlib.md5(b"hello").hexdigest()
    assert body.sha256_hex == hashlib.sha256(b"hello").hexdigest()


def test_a_large_body_is_a_file_named_by_its_hash():
    body = blobs.stage(chunks(LARGE))
    assert body.inline is None
    assert not blobs.has_file(LARGE_SHA256)
    body.install()
    assert blobs.file_path(LARGE_SHA256).read_bytes() == LARGE
    assert b"".join(blobs.read_range(blobs.open_file(LARGE_SHA256), 10, 20)) == LARGE[10:30]


def test_a_discarded_body_leaves_nothing():
    body = blobs.stage(chunks(LARGE))
    body.discard()
    assert incoming_files() == []


def test_a_broken_upload_leaves_nothing():
    def broken():
        yield LARGE
        raise ConnectionResetError("the client left")

    with pytest.raises(ConnectionResetError):
        blobs.stage(broken())
    assert incoming_files() == []


def test_a_body_over_the_limit_is_refused(settings):
    settings.RS3GW_OBJECT_SIZE_MAX_BYTES = 200_000
    with pytest.raises(EntityTooLarge):
        blobs.stage(chunks(LARGE))
    assert incoming_files() == []


def test_a_body_that_is_needed_is_never_collected(put):
    put("kept", LARGE)
    for _ in range(3):
        collector.collect(now=clock.now() + HOUR_SECONDS, grace_seconds=1)
    assert blobs.file_path(LARGE_SHA256).exists()


def test_a_body_that_nothing_needs_goes_after_the_grace_period(put):
    put("gone", LARGE)
    ObjectVersion.objects.all().delete()
    assert collector.collect(now=clock.now(), grace_seconds=HOUR_SECONDS) == 0
    assert blobs.file_path(LARGE_SHA256).exists()
    collector.collect(now=clock.now() + HOUR_SECONDS, grace_seconds=1)
    with blobs.open_file(LARGE_SHA256) as file:
        assert file.read() == LARGE, "the trash still serves it"
    assert collector.collect(now=clock.now() + 2 * HOUR_SECONDS, grace_seconds=1) == 1
    assert blobs.open_file(LARGE_SHA256) is None


def test_a_body_that_is_needed_again_comes_back_from_the_trash(put):
    put("gone", LARGE)
    ObjectVersion.objects.all().delete()
    collector.collect(now=clock.now() + HOUR_SECONDS, grace_seconds=1)
    assert blobs.trash_path(LARGE_SHA256).exists()
    put("back", LARGE)
    collector.collect(now=clock.now() + 2 * HOUR_SECONDS, grace_seconds=1)
    assert blobs.file_path(LARGE_SHA256).read_bytes() == LARGE


def test_small_bodies_are_collected_likewise(put):
    put("kept", b"kept")
    put("gone", b"gone")
    ObjectVersion.objects.filter(key="gone").delete()
    collector.collect(now=clock.now() + HOUR_SECONDS, grace_seconds=1)
    assert rows.read_inline(hashlib.sha256(b"kept").hexdigest()) == b"kept"
    assert InlineBody.objects.count() == 1


def test_data_lies_in_the_data_directory():
    assert str(blobs.file_path(LARGE_SHA256)).startswith(str(settings.RS3GW_DATA_DIR))


def test_an_encrypted_body_may_be_as_large_as_any_other(settings):
    settings.RS3GW_OBJECT_SIZE_MAX_BYTES = len(LARGE)
    body = blobs.stage(chunks(LARGE), key=KEY)
    stored = body.temporary.read_bytes()
    assert body.size_bytes == len(LARGE)
    assert body.plain_sha256_hex == LARGE_SHA256
    assert body.md5_hex == hashlib.md5(LARGE).hexdigest()
    assert body.sha256_hex == hashlib.sha256(stored).hexdigest()
    assert len(stored) == sealed.sealed_size(len(LARGE))
    body.discard()


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_a_byte_over_the_limit_is_refused(settings, key):
    settings.RS3GW_OBJECT_SIZE_MAX_BYTES = len(LARGE) - 1
    with pytest.raises(EntityTooLarge):
        blobs.stage(chunks(LARGE), key=key)
    assert incoming_files() == []


def test_a_body_of_another_node_may_be_encrypted(settings):
    settings.RS3GW_OBJECT_SIZE_MAX_BYTES = len(LARGE)
    stored = b"".join(sealed.seal(chunks(LARGE), KEY, b"saltsalt"))
    body = blobs.stage_stored(chunks(stored))
    assert body.sha256_hex == hashlib.sha256(stored).hexdigest()
    assert body.size_bytes == len(stored)
    body.discard()
    with pytest.raises(EntityTooLarge):
        blobs.stage_stored(chunks(stored + b"x"))
    assert incoming_files() == []
