"""The doorbell: after a commit, tell the worker which lanes have something new.

A ring is a hint. It is coalesced, sent by a thread of its own with bounded waits, and may be
lost: the sweep finds what nobody rang for. So neither a slow nor a dead broker delays a write.
"""

import logging
import threading

from celery import current_app

from replication import lanes
from replication.dispatch import QUEUE_REPLICATE, TASK_DRAIN_LANE
from rs3gw.common import clock
from rs3gw.common.database import release_connections

logger = logging.getLogger(__name__)
REST_SECONDS = 0.02
FAILURE_REST_SECONDS = 1.0
EXPIRES_SECONDS = 5


class Doorbell:
    """Coalesces rings and sends at most one message per `REST_SECONDS`."""

    def __init__(self) -> None:
        self._shards: set[int] = set()
        self._for_members = False
        self._rung = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_failing = False

    def ring(self, shard: int, *, regions_only: bool = False) -> None:
        """Say that a shard of the log has grown; returns at once.

        Args:
            shard: The shard.
            regions_only: The members have it already; only remote regions need to hear.
        """
        with self._lock:
            self._shards.add(shard)
            self._for_members = self._for_members or not regions_only
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="doorbell", daemon=True)
                self._thread.start()
        self._rung.set()

    def _loop(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            with self._lock:
                shards, self._shards = self._shards, set()
                for_members, self._for_members = self._for_members, False
            if shards:
                self._send(sorted(shards), for_members=for_members)
            clock.sleep(FAILURE_REST_SECONDS if self._is_failing else REST_SECONDS)

    def _send(self, shards: list[int], *, for_members: bool) -> None:
        try:
            for lane_id in lanes.due_lane_ids(shards, for_members=for_members):
                current_app.send_task(
                    TASK_DRAIN_LANE,
                    kwargs={"lane_id": lane_id},
                    queue=QUEUE_REPLICATE,
                    expires=EXPIRES_SECONDS,
                    ignore_result=True,
                    retry=False,
                )
        except Exception as error:  # noqa: BLE001  (the broker may be down in many ways)
            if not self._is_failing:
                logger.warning("the broker takes no message, the sweep will do: %s", error)
            self._is_failing = True
        else:
            self._is_failing = False
        finally:
            release_connections()


doorbell = Doorbell()
