"""A body that is not what its name says is never served, set aside, and replaced."""

import json
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from cluster import selectors
from cluster.models import Node
from replication import bodies, placement, services
from replication.healing import report, rounds, scrub
from replication.models import DamagedBody, DropMark, HealingItem, HealingJob, JobState
from replication.peer.holding import holding_of
from rs3gw.common import clock
from rs3gw.storage import blobs, rows, upkeep
from rs3gw.storage.errors import BodyLost, BodyMissing
from rs3gw.storage.models import InlineBody


@pytest.fixture(autouse=True)
def _hurried(settings):
    settings.RS3GW_SCRUB_TRANQUILITY = 0


def spoil(sha256, change):
    path = blobs.file_path(sha256)
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def flip(data):
    data[100] ^= 1


def cut(data):
    del data[1000:]


def lengthen(data):
    data += b"more"


def heal():
    """Let the worker take a few rounds."""
    for _ in range(3):
        rounds.heal_round()


@pytest.mark.parametrize("change", [cut, lengthen])
def test_a_file_of_a_wrong_size_is_never_served_and_is_replaced(region, put, change):
    (other,) = region.add("node-2")
    sha256, data, entry = put("a")
    spoil(sha256, change)
    assert bodies.local_file(entry) is None
    with pytest.raises(BodyLost) as caught:
        list(bodies.open_body(entry))
    assert caught.value.code == "InternalError"
    other.take((sha256, data))
    assert b"".join(bodies.open_body(entry)) == data
    assert HealingItem.objects.get().kind == "check"
    heal()
    assert blobs.file_path(sha256).read_bytes() == data
    row = DamagedBody.objects.get()
    assert row.repaired_at is not None
    assert (upkeep.aside_directory().parent / row.path).exists()
    assert not HealingItem.objects.exists()


def test_a_node_alone_answers_with_an_error_and_says_what_is_lost(region, put):
    sha256, _, entry = put("a")
    spoil(sha256, flip)
    run_scrub()
    assert not blobs.has_file(sha256)
    with pytest.raises(BodyLost):
        list(bodies.open_body(entry))
    heal()
    assert report.summary().damaged == 1
    assert report.summary().missing.bodies == 1
    assert DamagedBody.objects.get().repaired_at is None


def run_scrub():
    job = rounds.start_scrub("test")
    rounds.advance(job)
    job.refresh_from_db()
    return job


def test_a_scrub_finds_rot_in_files_and_rows_and_touches_nothing_else(region, put):
    (other,) = region.add("node-2")
    written = [put("small", 100), put("rotten"), put("sound"), put("rotten too")]
    other.take(*(body[:2] for body in written))
    spoil(written[1][0], flip)
    spoil(written[3][0], flip)
    InlineBody.objects.filter(sha256=written[0][0]).update(data=b"x" * 100)
    job = run_scrub()
    assert (job.state, job.done_bodies, job.damaged_bodies) == (JobState.DONE, 4, 3)
    assert job.total_bodies == 4
    assert blobs.file_path(written[2][0]).read_bytes() == written[2][1]
    assert rows.read_inline(written[0][0]) is None
    assert HealingItem.objects.filter(kind="fetch").count() == 3
    heal()
    for sha256, data, entry in written:
        assert b"".join(bodies.open_one(sha256, len(data), 0, len(data))) == data
        assert b"".join(bodies.open_body(entry)) == data
    assert DamagedBody.objects.filter(repaired_at__isnull=True).count() == 0
    assert report.counts()["damaged"].bodies == 3
    assert report.last_scrub_at() > 0


def test_a_scrub_goes_on_where_it_was(region, put, monkeypatch):
    names = sorted(put(f"{number}")[0] for number in range(4))
    job = rounds.start_scrub("test")
    HealingJob.objects.update(cursor=f"file:{names[1]}")
    seen = []
    read_file = upkeep.read_file
    monkeypatch.setattr(upkeep, "read_file", lambda sha: seen.append(sha) or read_file(sha))
    rounds.advance(job)
    assert seen == names[2:]


def test_a_file_that_was_replaced_while_it_was_read_is_left_alone(region, put):
    sha256, data, _ = put("a")
    spoil(sha256, flip)
    reading = upkeep.read_file(sha256)
    assert reading.problem
    blobs.stage([data]).install()
    assert not scrub.set_aside(sha256, reading)
    assert blobs.file_path(sha256).read_bytes() == data
    assert not DamagedBody.objects.exists()


def test_a_sound_file_that_a_row_gives_another_size_stays(region, put):
    sha256, data, _ = put("a")
    with pytest.raises(BodyMissing):
        list(bodies.open_one(sha256, len(data) + 1, 0, 1))
    heal()
    assert blobs.file_path(sha256).read_bytes() == data
    assert not DamagedBody.objects.exists()


def test_a_scrub_rests_in_proportion_to_its_work(region, put, settings, monkeypatch):
    settings.RS3GW_SCRUB_TRANQUILITY = 3
    put("a")
    rested = []
    monkeypatch.setattr("replication.healing.jobs.Turn.rest", lambda _, s: rested.append(s))
    ticks = iter(range(1000))
    monkeypatch.setattr(scrub.clock, "monotonic", lambda: next(ticks) * 0.01)
    run_scrub()
    assert rested[0] == pytest.approx(0.03)


def test_the_command_reads_at_once_and_reports(region, put):
    sha256, _, _ = put("a")
    spoil(sha256, flip)
    out = StringIO()
    call_command("scrub", "--now", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert (found["state"], found["done_bodies"], found["damaged_bodies"]) == ("done", 1, 1)
    out = StringIO()
    call_command("scrub", stdout=out)
    assert "is running: 0 of 0 bodies read" in out.getvalue()


def test_a_node_confirms_only_what_it_keeps(region, put, bucket):
    (kept, data, _), (going, _, _) = put("kept"), put("going")
    gone, _, _ = put("gone")
    unnamed, _, _ = put("unnamed")
    blobs.file_path(gone).unlink()
    services.delete_object(bucket=bucket, key="unnamed")
    DropMark.objects.create(sha256=going, marked_at=clock.utcnow())
    size = len(data)
    answer = holding_of(dict.fromkeys((kept, going, gone, unnamed), size))
    assert answer["held"] == [kept]
    assert set(answer["present"]) == {kept, going, unnamed}
    assert holding_of({kept: size + 1}) == {"held": [], "present": []}


def test_the_console_shows_jobs_and_changes_them(region, put, client):
    operator = get_user_model().objects.create_superuser("olga", password="open sesame 42")
    client.force_login(operator)
    region.add("node-2")
    put("a")
    job = rounds.start_walk("audit", "test", placement.current())
    page = client.get("/admin/replication/healingjob/").content.decode()
    assert "<progress" in page
    asked = {"action": "pause", "_selected_action": [job.pk]}
    client.post("/admin/replication/healingjob/", asked)
    job.refresh_from_db()
    assert (job.state, job.changed_by) == ("paused", "olga")
    for name in ("healingjob", f"healingjob/{job.pk}/change", "healingitem", "damagedbody"):
        assert client.get(f"/admin/replication/{name}/").status_code == 200
    url = f"/api/cluster/healing/jobs/{job.pk}"
    assert client.get(url).json()["state"] == "paused"
    assert client.post(f"{url}/resume").json()["state"] == "running"
    assert client.post(f"{url}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{url}/cancel").status_code == 400
    body = {"kind": "scrub"}
    made = client.post("/api/cluster/healing/jobs", body, content_type="application/json")
    assert (made.status_code, made.json()["kind"]) == (201, "scrub")
    assert client.get("/api/cluster/healing").json()["missing"] == {"bodies": 0, "size_bytes": 0}
    assert 'rs3gw_healing_jobs{kind="scrub",state="running"} 1.0' in metrics(client)


def metrics(client):
    return client.get("/metrics").content.decode()


def test_what_a_leave_would_move_is_shown_before_it_is_made(region, put, client):
    client.force_login(get_user_model().objects.create_superuser("olga", password="sesame 42"))
    region.add("node-2", "node-3")
    written = [put(f"{number}") for number in range(6)]
    asked = "/api/cluster/placement?node=node-1&leaving=true"
    found = client.get(asked).json()
    own = [sha256 for sha256, _, _ in written if "node-1" in placement.holder_ids(sha256)]
    assert found["moved"]["bodies"] == found["before"]["node-1"]["bodies"] == len(own) > 0
    assert found["after"]["node-1"]["bodies"] == 0
    assert {move["giver"] for move in found["moves"]} == {"node-1"}
    assert client.get("/api/cluster/placement?node=nobody&leaving=true").status_code == 400
    assert client.get("/api/cluster/placement?node=node-1").status_code == 400
    out = StringIO()
    call_command("rebalance", "--dry-run", "--leaving", "node-1", stdout=out)
    assert f"{50_000 * len(own) / 1024:.1f} KiB move in all" in out.getvalue()
    with pytest.raises(CommandError, match="for --dry-run"):
        call_command("rebalance", "--leaving", "node-1")
    assert Node.objects.count() == len(selectors.members()) == 3
