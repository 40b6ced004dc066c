"""The admin pages of the membership."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cluster.core.node import Lifecycle
from cluster.core.removal import Removal, Removals
from cluster.models import LeaveRun, Node, NodeTransition
from cluster.services import fencing, table

QUERIES_MAX = 12


@pytest.fixture
def browser(client):
    client.force_login(User.objects.create_superuser("root"))
    return client


def _act(browser, action, *node_ids):
    rows = Node.objects.filter(node_id__in=node_ids)
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    answer = browser.post(reverse("admin:cluster_node_changelist"), data, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_the_list_shows_every_node_in_a_constant_number_of_queries(seeded, browser):
    seeded(*[f"node-{number}" for number in range(2, 12)])
    Node.objects.filter(node_id="node-3").update(liveness="failed")

    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(reverse("admin:cluster_node_changelist"), {"q": "node"})

    assert answer.status_code == 200
    text = answer.content.decode()
    assert text.count("chip-ok") == 10
    assert text.count("chip-bad") == 1
    assert len(queries) <= QUERIES_MAX


def test_a_node_shows_its_facts_and_history_and_cannot_be_edited(seeded, browser, row_of):
    seeded("node-2")
    path = reverse("admin:cluster_node_change", args=[row_of("node-1").pk])

    answer = browser.get(path)

    assert answer.status_code == 200
    assert "has joined" in answer.content.decode()
    assert b'name="_save"' not in answer.content
    assert browser.post(path, {"node_id": "other"}).status_code == 403
    assert browser.get(reverse("admin:cluster_node_add")).status_code == 403


def test_the_history_is_a_list_of_its_own(seeded, browser):
    seeded("node-2")

    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(reverse("admin:cluster_nodetransition_changelist"))

    assert answer.status_code == 200
    assert len(queries) <= QUERIES_MAX
    step = NodeTransition.objects.first()
    page = browser.get(reverse("admin:cluster_nodetransition_change", args=[step.pk]))
    assert page.status_code == 200


def test_this_node_leaves_from_its_own_admin(seeded, browser, ticker):
    seeded("node-2")

    (message,) = _act(browser, "leave_cluster", "node-1")
    assert "shows how far" in message
    page = browser.get(reverse("admin:cluster_leaverun_changelist"))
    assert b"Waiting for the worker" in page.content
    ticker.run(1)
    assert table.own_row().state == Lifecycle.LEFT
    run = LeaveRun.objects.get()
    page = browser.get(reverse("admin:cluster_leaverun_change", args=[run.pk]))
    assert b"Has left" in page.content


def test_a_leave_is_called_off_from_its_page(seeded, browser, ticker):
    seeded("node-2")
    _act(browser, "leave_cluster", "node-1")
    path = reverse("admin:cluster_leaverun_changelist")
    words = {"action": "cancel", "_selected_action": [LeaveRun.objects.get().pk]}

    answer = browser.post(path, words, follow=True)
    ticker.run(1)

    assert "called off" in " ".join(map(str, answer.context["messages"]))
    assert table.own_row().state == Lifecycle.ACTIVE


def test_the_admin_of_a_removed_node_says_why_it_takes_no_writes(seeded, browser):
    seeded("node-2")
    actor = table.own_row().actor
    gone = Removal(node_id="node-1", actor=actor, epoch=2, removed_by="ann", at_ms=1)
    fencing.absorb(Removals([gone]))

    page = browser.get(reverse("admin:cluster_node_changelist"))
    assert b"was removed from the cluster by ann (epoch 2)" in page.content
    page = browser.get(reverse("admin:cluster_removednode_changelist"))
    assert b"node-1" in page.content


def test_another_node_cannot_be_made_to_leave_from_here(seeded, browser):
    seeded("node-2")

    (message,) = _act(browser, "leave_cluster", "node-2")

    assert "Choose only node-1" in message
    assert table.own_row().state == Lifecycle.ACTIVE


def test_a_refused_removal_says_why(seeded, browser):
    seeded("node-2")

    (message,) = _act(browser, "remove_failed", "node-2")

    assert "only a failed node" in message


def test_a_failed_node_is_removed(seeded, browser, ticker, row_of):
    two, _ = seeded("node-2", "node-3")
    two.is_down = True
    ticker.run(20)

    assert _act(browser, "remove_failed", "node-2") == ["node-2 was removed."]
    assert row_of("node-2").state == Lifecycle.LEFT


def test_who_may_only_look_finds_no_actions(seeded, client):
    seeded("node-2")
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_node"))
    client.force_login(user)

    answer = client.get(reverse("admin:cluster_node_changelist"))

    assert answer.status_code == 200
    assert b"leave_cluster" not in answer.content
