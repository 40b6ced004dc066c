"""Bodies come to where they belong, and none goes before enough others have it."""

import pytest

from replication import bodies, placement
from replication.core.healing import Verdict
from replication.healing import carry, jobs, leaving, rounds, walk
from replication.models import DropMark, HealingItem, HealingJob, JobKind, JobState
from rs3gw.common import clock
from rs3gw.storage import blobs, rows, uploads
from rs3gw.storage.core.objects import ObjectHeaders
from rs3gw.storage.errors import BodyLost, BodyMissing
from rs3gw.storage.models import InlineBody, MultipartUpload
from tests.integration.healing.region import Member


def held_here(monkeypatch, *, others=()):
    """Let every body belong here, or only to these others."""
    names = list(others) or ["node-1", "node-2"]
    for module in ("replication.healing.walk", "replication.healing.offers", "replication.bodies"):
        monkeypatch.setattr(f"{module}.holder_ids", lambda _: names)


def run(kind=JobKind.AUDIT):
    job = rounds.start_walk(kind, "test", placement.current())
    rounds.advance(job, seconds_max=10)
    job.refresh_from_db()
    return job


def lose(sha256):
    blobs.file_path(sha256).unlink()


def test_a_missing_body_is_fetched_from_whoever_has_it(region, put, monkeypatch):
    held_here(monkeypatch)
    _, third = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    third.take((sha256, data))
    lose(sha256)
    job = run()
    assert blobs.file_path(sha256).read_bytes() == data
    assert (job.state, job.moved_bodies, job.moved_bytes) == ("done", 1, len(data))
    assert job.done_bodies == job.total_bodies == 1
    assert not HealingItem.objects.exists()


def test_a_small_body_that_is_missing_is_fetched_too(region, put, monkeypatch):
    (other,) = region.add("node-2")
    sha256, data, _ = put("a", 100)
    other.take((sha256, data))
    InlineBody.objects.all().delete()
    run()
    assert rows.read_inline(sha256) == data


def test_bytes_of_another_hash_are_never_installed(region, put, monkeypatch):
    held_here(monkeypatch)
    liar, honest = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    liar.take((sha256, bytes(len(data))))
    lose(sha256)
    run()
    assert not blobs.has_file(sha256)
    item = HealingItem.objects.get()
    assert "not those of the body" in item.last_error
    honest.take((sha256, data))
    HealingItem.objects.update(next_attempt_at=clock.utcnow())
    rounds.advance(HealingJob.objects.get())
    assert blobs.file_path(sha256).read_bytes() == data
    assert list(blobs.incoming_directory().iterdir()) == []


def test_what_the_fewest_nodes_have_is_fetched_first(region, put, monkeypatch):
    held_here(monkeypatch)
    one, two = region.add("node-2", "node-3")
    common, rare = put("common"), put("rare")
    one.take(common[:2], rare[:2])
    two.take(common[:2])
    lose(common[0])
    lose(rare[0])
    seen = []
    monkeypatch.setattr(carry, "_fetch_batch", lambda _, batch: _note_and_forget(seen, batch))
    run(JobKind.REBUILD)
    assert seen == [rare[0], rare[0], common[0]]


def _note_and_forget(seen, batch):
    seen += [item.sha256 for item in batch]
    HealingItem.objects.all().delete()


def test_a_copy_that_belongs_elsewhere_is_handed_over_and_dropped(region, put, monkeypatch):
    held_here(monkeypatch, others=["node-2", "node-3"])
    two, three = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    three.take((sha256, data))
    job = run()
    assert two.bodies[sha256] == data
    assert not blobs.has_file(sha256)
    assert (job.moved_bodies, job.dropped_bodies) == (1, 1)
    assert not DropMark.objects.exists()


@pytest.mark.parametrize("trouble", ["down", "unsure", "few", "young", "upload"])
def test_a_copy_stays_unless_enough_holders_confirm_theirs(
    region, put, bucket, monkeypatch, settings, trouble
):
    held_here(monkeypatch, others=["node-2", "node-3"])
    two, three = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    two.take((sha256, data))
    three.take((sha256, data))
    if trouble == "down":
        three.is_down = True
    elif trouble == "unsure":
        three.holds_for_good = False
    elif trouble == "few":
        settings.RS3GW_REPLICATION_FACTOR = 3
    elif trouble == "young":
        settings.RS3GW_BLOB_GRACE_SECONDS = clock.now() - 0.5
    else:
        new = uploads.NewUpload(key="k", headers=ObjectHeaders())
        upload = uploads.create_upload(bucket=bucket, new=new)
        body = blobs.stage([data])
        uploads.put_part(upload=upload, number=1, body=body)
    run()
    assert blobs.file_path(sha256).read_bytes() == data
    MultipartUpload.objects.all().delete()


def test_a_copy_that_arrives_anew_while_it_is_dropped_stays(region, put, monkeypatch, settings):
    held_here(monkeypatch, others=["node-2", "node-3"])
    settings.RS3GW_BLOB_GRACE_SECONDS = 60.0
    two, three = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    two.take((sha256, data))
    three.take((sha256, data))
    three.on_ask = blobs.stage([data]).install
    run()
    assert blobs.file_path(sha256).read_bytes() == data


def test_a_body_is_marked_while_its_holders_are_asked(region, put, monkeypatch):
    held_here(monkeypatch, others=["node-2", "node-3"])
    two, three = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    two.take((sha256, data))
    three.take((sha256, data))
    marks = []
    three.on_ask = lambda: marks.append(DropMark.objects.filter(sha256=sha256).exists())
    run()
    assert marks == [False, True]


def test_a_member_that_is_leaving_or_gone_for_long_takes_no_bodies(region, settings):
    settings.RS3GW_REBUILD_AFTER_SECONDS = 60.0
    region.add("node-2", "node-3", "node-4")
    sha256 = "0" * 64
    assert len(placement.current().holders(sha256, 0)) == 4
    region.change("node-2", state="leaving")
    long_ago = clock.from_ms(clock.now_ms() - 61_000)
    region.change("node-3", liveness="failed", state_changed_at=long_ago)
    assert sorted(placement.current().holders(sha256, 0)) == ["node-1", "node-4"]
    assert placement.current().given_up == ("node-3",)
    region.change("node-4", liveness="failed", state_changed_at=long_ago)
    assert placement.current().given_up == ()
    assert "possible partition" in placement.current().withheld


def test_a_node_that_leaves_copies_out_before_it_has_left(region, put):
    others = region.add("node-2", "node-3", "node-4")
    written = [put(f"{number}") for number in range(5)]
    region.change("node-1", state="leaving")
    seen = []

    class Progress:
        def report(self, what, done, total):
            seen.append((done, total))

    leaving.copy_out(Progress())
    for sha256, data, _ in written:
        assert sum(member.bodies.get(sha256) == data for member in others) == 2
    assert seen[-1] == (5, 5)
    assert HealingJob.objects.get().state == JobState.DONE


def test_a_node_stays_while_its_bodies_have_nowhere_to_go(region, put, monkeypatch):
    monkeypatch.setattr(leaving, "WAIT_SECONDS_MAX", 0.5)
    monkeypatch.setattr(leaving, "RETRY_SECONDS", 0.05)
    (other, *_) = region.add("node-2", "node-3")
    sha256, data, _ = put("a")
    other.is_down = True
    region.change("node-1", state="leaving")
    with pytest.raises(leaving.ControlError, match=r"0 of 1 are done.*leave again"):
        leaving.copy_out()
    other.is_down = False
    leaving.copy_out()
    assert other.bodies[sha256] == data


def test_a_node_stays_while_nobody_can_be_reached(region, put, monkeypatch):
    monkeypatch.setattr(leaving, "WAIT_SECONDS_MAX", 0.2)
    monkeypatch.setattr(leaving, "RETRY_SECONDS", 0.05)
    region.add("node-2", "node-3")
    put("a")
    region.change("node-1", state="leaving")
    for node_id in ("node-2", "node-3"):
        region.change(node_id, liveness="suspect")
    with pytest.raises(leaving.ControlError, match=r"on 0 of the 2 members"):
        leaving.copy_out()


def test_a_leave_goes_on_past_a_holder_that_is_down_when_others_can_take_its_copy(region, put):
    others = region.add("node-2", "node-3", "node-4")
    sha256, data, _ = put("a")
    region.change("node-1", state="leaving")
    first = next(m for m in others if m.node_id == placement.holder_ids(sha256)[0])
    region.change(first.node_id, liveness="suspect")
    leaving.copy_out()
    assert {m.node_id for m in others if sha256 in m.bodies} == {
        m.node_id for m in others if m is not first
    }


def test_a_read_asks_holders_that_answer_and_bears_with_the_others(region, put, monkeypatch):
    held_here(monkeypatch, others=["node-2", "node-3"])
    monkeypatch.setattr("replication.placement.holder_ids", lambda _: ["node-2", "node-3"])
    two, three = region.add("node-2", "node-3")
    sha256, data, entry = put("a")
    lose(sha256)
    three.take((sha256, data))
    two.is_down = True
    assert b"".join(bodies.open_body(entry)) == data
    two.is_down = False
    two.take((sha256, data))
    assert b"".join(bodies.open_body(entry, 10, 20)) == data[10:30]
    assert two.asked == []
    assert isinstance(two, Member)


def test_a_body_is_lost_only_when_every_member_says_that_it_has_none(region, put):
    two, _ = region.add("node-2", "node-3")
    sha256, _, entry = put("a")
    lose(sha256)
    with pytest.raises(BodyLost):
        list(bodies.open_body(entry))
    two.is_down = True
    with pytest.raises(BodyMissing) as caught:
        list(bodies.open_body(entry))
    assert not isinstance(caught.value, BodyLost)


def test_a_job_can_be_paused_resumed_and_cancelled_and_goes_on_where_it_was(region, put):
    for number in range(3):
        put(f"{number}")
    walk_rows, walk.PAGE_ROWS = walk.PAGE_ROWS, 1
    try:
        job = rounds.start_walk(JobKind.AUDIT, "test", placement.current())
        turn = jobs.Turn.take(job)
        assert jobs.Turn.take(job) is None
        assert walk._look_at_page(turn, is_urgent=False)
        jobs.pause(job, author="olga")
        turn._looked_at = 0.0
        assert not turn.goes_on()
        turn.release()
        assert jobs.Turn.take(job) is None
        with pytest.raises(jobs.ControlError, match="paused"):
            jobs.pause(job, author="olga")
        jobs.resume(job, author="olga")
        assert job.done_bodies == 1
        rounds.advance(job)
        job.refresh_from_db()
        assert (job.state, job.done_bodies) == (JobState.DONE, 3)
        with pytest.raises(jobs.ControlError, match="done"):
            jobs.cancel(job, author="olga")
    finally:
        walk.PAGE_ROWS = walk_rows


def test_walks_begin_by_themselves_and_follow_the_members(region, put, settings):
    for _ in range(2):
        rounds.heal_round()
    assert [job.reason for job in HealingJob.objects.all()] == ["first look at all bodies"]
    region.add("node-2")
    for _ in range(3):
        rounds.heal_round()
    reasons = [job.reason for job in HealingJob.objects.order_by("id")]
    assert reasons[1:] == ["the members that take bodies have changed"]
    assert walk.verdict_of(blobs.EMPTY_SHA256, 0) == Verdict.KEEP
