"""Group commit: durable together, failing alone, numbers without gaps."""

import threading

import pytest
from django.db import connection

from rs3gw.common import clock
from rs3gw.storage import commit, rows, services
from rs3gw.storage.models import ClockShard

pytestmark = pytest.mark.django_db(transaction=True)


def in_threads(count, work):
    errors = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not errors


def test_concurrent_changes_get_gap_free_numbers():
    services.init_clock()
    taken = []

    def work(_):
        for _ in range(20):
            taken.append(commit.run(lambda: rows.take_stamp(0, clock.now_ms()))[0])

    in_threads(8, work)
    assert sorted(stamp.seq for stamp in taken) == list(range(1, 161))
    by_seq = sorted(taken, key=lambda stamp: stamp.seq)
    assert [stamp.hlc for stamp in by_seq] == sorted(stamp.hlc for stamp in taken)


def test_a_failing_change_takes_no_neighbour_along():
    services.init_clock()
    outcomes = {}

    def work(number):
        def change():
            stamp, _ = rows.take_stamp(0, clock.now_ms())
            if number % 2:
                raise ValueError("refused")
            return stamp.seq

        try:
            outcomes[number] = commit.run(change)
        except ValueError:
            outcomes[number] = None

    in_threads(12, work)
    kept = sorted(seq for seq in outcomes.values() if seq is not None)
    assert kept == [1, 2, 3, 4, 5, 6]
    assert ClockShard.objects.get(shard=0).seq == 6


def test_the_clock_never_runs_backwards():
    services.init_clock()
    first, _ = commit.run(lambda: rows.take_stamp(0, 2_000_000_000_000))
    second, _ = commit.run(lambda: rows.take_stamp(0, 1_000_000_000_000))
    assert second.hlc == first.hlc + 1


def test_a_remote_timestamp_raises_the_clock():
    services.init_clock()
    commit.run(lambda: rows.observe_clock(0, 2_000_000_000_000 << 16))
    stamp, _ = commit.run(lambda: rows.take_stamp(0, 1_000_000_000_000))
    assert stamp.hlc > 2_000_000_000_000 << 16
