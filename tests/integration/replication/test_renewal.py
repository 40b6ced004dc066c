"""A new writer id: numbers begin again, the log goes on, and nothing that was written is lost."""

import pytest
from django.db import transaction

from cluster import selectors as cluster_selectors
from cluster import services as cluster_services
from cluster.models import RemovedNode
from replication import renewal, selectors, services, trimming
from replication.errors import WriteRefused
from replication.models import AppliedActor, ReplicationEventRecord
from rs3gw.common import clock, identity
from rs3gw.common.identity import IdentityError
from rs3gw.storage import services as storage
from rs3gw.storage.models import ClockShard


@pytest.fixture
def node(transactional_db, monkeypatch):
    # One shard on either database: the numbers below are those of one log.
    monkeypatch.setattr(storage, "POSTGRESQL_SHARDS", 1)
    storage.init_clock()
    cluster_services.start()
    yield identity.load()
    identity.path().unlink()
    identity.load.cache_clear()


def _dots():
    rows = ReplicationEventRecord.objects.order_by("position")
    return list(rows.values_list("actor", "seq", "position"))


def test_changes_after_it_count_from_one_and_stand_behind_the_old_ones(node):
    services.create_bucket(name="one", owner="root")
    services.create_bucket(name="two", owner="root")

    actor = renewal.renew_actor()
    services.create_bucket(name="three", owner="root")

    assert identity.load().actor == actor != node.actor
    assert _dots() == [(node.actor, 1, 1), (node.actor, 2, 2), (actor, 1, 3)]
    assert selectors.frontiers() == {node.actor: 2, actor: 1}


def test_a_node_is_behind_when_a_peer_has_more_of_what_it_wrote(node):
    services.create_bucket(name="one", owner="root")

    assert not renewal.is_behind({})
    assert not renewal.is_behind({node.actor: 1, 512: 90})
    assert renewal.is_behind({node.actor: 2})


def test_peers_tell_the_highest_number_gaps_or_not(node):
    AppliedActor.objects.create(actor=512, frontier=4, islands=[[7, 9]])
    AppliedActor.objects.create(actor=768, frontier=2, islands=[])

    assert selectors.highest_applied() == {512: 9, 768: 2, node.actor: 0}


def test_what_others_had_of_the_old_id_is_kept_beside_its_own(node):
    services.create_bucket(name="one", owner="root")
    AppliedActor.objects.create(actor=node.actor, frontier=0, islands=[[4, 5]])

    renewal.renew_actor()

    row = AppliedActor.objects.get(actor=node.actor)
    assert (row.frontier, row.islands) == (1, [[4, 5]])


def test_a_crash_between_database_and_file_is_completed_by_the_next_start(node):
    identity.propose(identity.Identity(node_id=node.node_id, actor=node.actor + 256))
    with transaction.atomic():
        storage.change_actor(node.actor + 256)

    storage.init_clock()

    assert identity.load().actor == node.actor + 256


def test_a_crash_before_the_database_changed_leaves_all_as_it_was(node):
    identity.propose(identity.Identity(node_id=node.node_id, actor=node.actor + 256))

    storage.init_clock()

    assert identity.load() == node


def test_a_database_of_another_data_directory_is_still_refused(node):
    ClockShard.objects.filter(shard=0).update(actor=node.actor + 512)

    with pytest.raises(IdentityError):
        storage.init_clock()


def test_another_process_sees_the_new_id_with_the_next_look_at_the_members(node):
    cluster_selectors.read()
    kept = identity.load()
    identity._write_durably(
        identity.path(), identity.Identity(node_id=node.node_id, actor=node.actor + 256)
    )
    assert identity.load() == kept

    cluster_selectors.read()

    assert identity.load().actor == node.actor + 256


def test_a_removed_node_refuses_writes_and_keeps_its_log(node, settings):
    settings.RS3GW_CLUSTER_ENABLED = True
    services.create_bucket(name="one", owner="root")
    RemovedNode.objects.create(
        node_id=node.node_id,
        actor=node.actor,
        epoch=3,
        removed_by="ann on node-2",
        removed_at=clock.utcnow(),
    )
    cluster_selectors.forget()

    with pytest.raises(WriteRefused, match="removed from the cluster by ann on node-2"):
        services.create_bucket(name="two", owner="root")
    with pytest.raises(WriteRefused):
        services.put_register(scope="region", name="x", value=None)
    assert trimming.trim(before=clock.utcnow()) == 0
    assert len(_dots()) == 1
