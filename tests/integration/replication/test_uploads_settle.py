"""What a request about an upload leaves undone is finished by the next one, or in time."""

import uuid
from datetime import timedelta

import pytest

from replication import engine, uploads
from replication.core.events import ReplicationEvent
from replication.errors import UploadSettling, WriteIndeterminate
from replication.services import Completion, NewUpload, completed_before
from replication.services import uploads as services
from rs3gw.common import clock
from rs3gw.storage import blobs, rows
from rs3gw.storage import services as storage
from rs3gw.storage import uploads as stored
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.errors import NoSuchUpload
from rs3gw.storage.models import EndedUpload


@pytest.fixture
def bucket(db):
    storage.init_clock()
    stamp, _ = rows.take_stamp(0, clock.now_ms())
    return storage.insert_bucket(
        name="photos", incarnation=uuid.uuid4(), owner="root", region="us-east-1", stamp=stamp
    )


@pytest.fixture
def upload(bucket):
    return stored.create_upload(bucket=bucket, new=NewUpload(key="k", headers=ObjectHeaders()))


@pytest.fixture
def named(upload):
    part = stored.put_part(upload=upload, number=1, body=blobs.stage([b"data"]))
    return [(1, part.etag)]


def complete(upload, named):
    completion = Completion(parts=named, checksums=lambda parts: ({}, ""))
    return services.complete_upload(upload=upload, completion=completion)


def again(upload, named):
    return completed_before(bucket=upload.bucket, key="k", upload_id=upload.upload_id, parts=named)


@pytest.fixture
def cut_off(monkeypatch):
    """Let no write reach enough nodes; call the value to end it."""

    def refuse(event, **_):
        raise WriteIndeterminate(version_id=event.version_id, acked=1, needed=2)

    with monkeypatch.context() as patch:
        patch.setattr(engine, "complete", refuse)
        yield patch.undo


def test_a_completion_that_too_few_confirmed_is_not_called_done(upload, named, cut_off):
    for attempt in (complete, again):
        with pytest.raises(WriteIndeterminate):
            attempt(upload, named)
    assert not EndedUpload.objects.get().is_confirmed
    cut_off()
    assert again(upload, named)["etag"].endswith("-1")
    assert EndedUpload.objects.get().is_confirmed


def test_a_completion_that_nobody_repeats_is_confirmed_in_time(upload, named, cut_off):
    with pytest.raises(WriteIndeterminate):
        complete(upload, named)
    cut_off()
    services.settle()
    assert not EndedUpload.objects.get().is_confirmed
    EndedUpload.objects.update(ended_at=clock.utcnow() - timedelta(minutes=2))
    services.settle()
    assert EndedUpload.objects.get().is_confirmed


def test_another_node_says_that_a_completion_is_not_confirmed(upload, named, monkeypatch):
    complete(upload, named)
    ended = {**uploads.describe(upload.upload_id)["ended"], "is_confirmed": False}
    EndedUpload.objects.all().delete()
    gathered = uploads.Gathered(ended=ended)
    monkeypatch.setattr(uploads, "gather", lambda _: gathered)
    with pytest.raises(UploadSettling):
        again(upload, named)
    ended["is_confirmed"] = True
    assert again(upload, named)["key"] == "k"


def test_completing_with_other_parts_is_not_a_repetition(upload, named):
    complete(upload, named)
    assert again(upload, named) is not None
    assert again(upload, [(2, named[0][1])]) is None


def test_a_part_that_comes_too_late_is_refused(upload, named):
    services.abort_upload(upload=upload)
    with pytest.raises(NoSuchUpload):
        stored.put_part(upload=upload, number=2, body=blobs.stage([b"late"]))


def test_an_end_is_kept_until_everybody_heard_of_it(upload, named):
    complete(upload, named)
    EndedUpload.objects.update(untold=["away"])
    tomorrow = clock.utcnow() + timedelta(days=1)
    stored.forget_ended(before=tomorrow)
    assert EndedUpload.objects.exists()
    # A node that has left is told nothing more.
    services.settle()
    stored.forget_ended(before=tomorrow)
    assert not EndedUpload.objects.exists()


def test_the_end_of_an_upload_is_found_in_the_log(upload, named):
    entry = complete(upload, named)
    event = ReplicationEvent.put_object(
        bucket="photos", key="k", etag=entry.etag, size=4, content_type="", metadata={}
    )
    assert engine.outbox.find(event).event.seq == entry.seq
