"""A region of one real node and pretended members that hold bodies."""

import contextlib
import http.client
import json

from cluster import selectors
from cluster.models import Node
from cluster.transport import PeerRefused, PeerResponse, PeerUnreachable
from rs3gw.common import clock

REGION = "us-east-1"


class Member:
    """One pretended member: what lies on its disk, and how it misbehaves."""

    def __init__(self, node_id):
        self.node_id = node_id
        self.address = f"{node_id}:9001"
        self.bodies = {}
        self.is_down = False
        self.holds_for_good = True
        self.asked = []
        self.on_ask = None

    def take(self, *datas):
        for name, data in datas:
            self.bodies[name] = data


class Region:
    """Delivers what the real node sends, and keeps its own table of members."""

    def __init__(self):
        self.members = {}

    def add(self, *node_ids):
        for node_id in node_ids:
            self.members[f"{node_id}:9001"] = Member(node_id)
            create_row(node_id)
        selectors.forget()
        return [self.members[f"{node_id}:9001"] for node_id in node_ids]

    def change(self, node_id, **fields):
        Node.objects.filter(node_id=node_id).update(**fields)
        selectors.forget()

    def _member(self, client):
        member = self.members[client.address]
        if member.is_down:
            raise PeerUnreachable(f"{client.address} does not answer")
        return member

    def request(self, client, method, path, *, body=b"", **_):
        member = self._member(client)
        member.asked.append(path)
        if member.on_ask is not None:
            member.on_ask()
        wanted = json.loads(body)["bodies"]
        present = [sha for sha, size in wanted if len(member.bodies.get(sha, b"")) == size]
        held = present if member.holds_for_good else []
        answer = json.dumps({"present": present, "held": held}).encode()
        return PeerResponse(200, http.client.HTTPMessage(), answer)

    def send_stream(self, client, method, path, chunks, size_bytes, **_):
        member = self._member(client)
        data = b"".join(chunks)
        assert len(data) == size_bytes
        member.bodies[path.rpartition("/")[2]] = data
        return PeerResponse(200, http.client.HTTPMessage(), b"{}")

    @contextlib.contextmanager
    def open_stream(self, client, path, *, start=0, length=None, **_):
        member = self._member(client)
        member.asked.append(path)
        data = member.bodies.get(path.rpartition("/")[2].partition("?")[0])
        if data is None:
            raise PeerRefused(client.address, 404, b"")
        yield iter([data[start : None if length is None else start + length]])


def create_row(node_id, *, is_self=False):
    now = clock.utcnow()
    return Node.objects.create(
        node_id=node_id,
        region=REGION,
        address=f"{node_id}:9001",
        state="active",
        liveness="alive",
        is_member=True,
        is_self=is_self,
        actor=1,
        last_seen=now,
        state_changed_at=now,
    )
