"""A node behind a port, and a browser that reports every complaint a page makes."""

import os
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from playwright.sync_api import sync_playwright

from cluster import selectors as cluster
from cluster.models import Node
from replication import services as replication
from replication.doorbell import Doorbell
from replication.models import Delivery, DeliveryState, Lane, ReplicationEventRecord
from rs3gw.common import clock, identity
from rs3gw.storage import services as storage

# Playwright runs an event loop in this thread; the tests use the ORM beside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "open sesame 42"
LISTEN = """
window.complaints = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.complaints.push(event.violatedDirective + " " + event.blockedURI);
});
"""


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _nobody_drains(monkeypatch):
    monkeypatch.setattr(Doorbell, "ring", lambda *_, **__: None)


@pytest.fixture
def node(transactional_db):
    identity.ensure()
    storage.init_clock()
    cluster.forget()
    get_user_model().objects.create_superuser("olga", password=PASSWORD)
    yield identity.load()
    cluster.forget()


@pytest.fixture
def busy_node(node, settings):
    """A node that is behind, has lost a neighbour, and has parked changes."""
    settings.RS3GW_CLUSTER_ENABLED = True
    now = clock.utcnow()
    Node.objects.create(
        node_id="node-1",
        region="us-east-1",
        address="127.0.0.1:9001",
        state="active",
        is_self=True,
        is_member=True,
        version="1.0.0",
        last_seen=now,
        state_changed_at=now,
    )
    for name, liveness, age in (("node-2", "alive", 1), ("node-3", "failed", 1800)):
        Node.objects.create(
            node_id=name,
            region="us-east-1",
            address=f"10.0.0.{name[-1]}:9001",
            state="active",
            liveness=liveness,
            is_member=True,
            version="1.0.0",
            last_seen=now - timedelta(seconds=age),
            state_changed_at=now,
        )
    for name in ("photos", "backups"):
        replication.create_bucket(name=name, owner="root")
    region = replication.save_region(
        name="eu-west-1", label="Dublin", endpoints=["10.1.0.5:9001"], pairing_key="p" * 40
    )
    replication.save_rule(name="photos-to-dublin", bucket="photos", region=region)
    lanes = [
        Lane.objects.create(
            destination_kind="member",
            destination="node-2",
            cursor=10_000,
            last_success_at=now,
            rate_bytes_per_second=1_400_000,
        ),
        Lane.objects.create(
            destination_kind="member",
            destination="node-3",
            attempts=7,
            cursor=20,
            last_error="10.0.0.3:9001 refused the connection",
        ),
        Lane.objects.create(
            destination_kind="region", destination="eu-west-1", cursor=42, last_success_at=now
        ),
    ]
    events = ReplicationEventRecord.objects.bulk_create(
        ReplicationEventRecord(
            shard=0,
            position=20 + index,
            actor=77,
            seq=20 + index,
            hlc=clock.now_ms() << 16,
            event_id=f"event-{index}",
            kind="put_object",
            origin_node="node-1",
            origin_region="us-east-1",
            bucket="photos",
            key=f"2026/11/very/long/path/with/many/parts/picture-{index:06}.jpg",
            body_size_bytes=3_000_000,
            created_at=now - timedelta(seconds=40 - index),
        )
        for index in range(40)
    )
    for event in events[:2]:
        Delivery.objects.create(
            lane=lanes[2],
            event=event,
            state=DeliveryState.PARKED,
            attempts=12,
            reason="eu-west-1 refused our key. <img src=x onerror=alert(1)> AccessDenied",
            created_at=now,
        )
    return node


@pytest.fixture
def open_page(chromium, live_server):
    """Open pages, logged in, at a size and colour scheme; fail on any complaint."""
    contexts, complaints = [], []

    def open_one(path="/admin/", *, width=1280, height=900, scheme="light", log_in=True):
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            base_url=live_server.url,
        )
        contexts.append(context)
        context.add_init_script(LISTEN)
        page = context.new_page()
        page.on("console", lambda message: _keep(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.complaints = complaints
        if log_in:
            page.goto("/admin/login/?next=" + path)
            page.fill("#id_username", "olga")
            page.fill("#id_password", PASSWORD)
            page.click("input[type=submit]")
            page.wait_for_url("**" + path)
        else:
            page.goto(path)
        return page

    yield open_one
    for context in contexts:
        for page in context.pages:
            complaints += page.evaluate("window.complaints || []")
        context.close()
    assert complaints == []


def _keep(complaints, message):
    if message.type in {"error", "warning"}:
        complaints.append(message.text)
