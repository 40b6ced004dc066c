"""Changes of the membership table, each a compare-and-set.

Web and worker process change the same rows. Whoever wins the compare-and-set writes the history
row in the same transaction and tells the rest of this node after the commit; who loses looks again.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from cluster import conf, selectors
from cluster.core.failure_detector import SUSPECT_AFTER_INTERVALS
from cluster.core.membership import (
    MemberRecord,
    Status,
    believe,
    merge_records,
    refute,
)
from cluster.core.node import (
    LABEL_COUNTED,
    LABEL_SET,
    LABEL_STOPPING,
    Lifecycle,
    Liveness,
    can_become,
)
from cluster.core.removal import Removal
from cluster.models import Node, NodeTransition, SeedContact
from cluster.services import flapping
from cluster.services.errors import ClusterConflict
from cluster.signals import node_state_changed
from rs3gw.common import clock, identity

logger = logging.getLogger(__name__)
ATTEMPTS_MAX = 5
TRANSITIONS_MAX = 10_000
REASON_CHARS_MAX = 255
REMOVED_WHILE_AWAY = "was removed, and joins again under a new writer id"
# Label of a node that an operator removed although no majority could be reached.
FORCED = "forced"


def absorb(records: Iterable[MemberRecord]) -> None:
    """Take in what a peer says of this and other nodes."""
    own_id = identity.load().node_id
    for record in records:
        if record.facts.region != settings.RS3GW_REGION:
            logger.warning("%s of region %s is none of ours", record.node_id, record.facts.region)
        elif record.node_id == own_id:
            _answer_rumour(record)
        else:
            _take(record)


def _take(heard: MemberRecord) -> None:
    for _ in range(ATTEMPTS_MAX):
        row = Node.objects.filter(node_id=heard.node_id).first()
        if row is None:
            if _create(heard):
                return
            continue
        ours = selectors.record_of(row)
        merged = merge_records(ours, believe(heard, is_heard_directly=is_fresh(row)))
        fields = _fields(merged)
        is_well = fields["liveness"] == Liveness.ALIVE and fields["state"] != Lifecycle.LEFT
        if is_well and flapping.is_held(row):
            fields["liveness"] = Liveness.SUSPECT.value
        if merged == ours or change(row, fields, reason="said so"):
            return


def _create(record: MemberRecord, *, is_self: bool = False, reason: str = "is new") -> bool:
    now_at = clock.utcnow()
    row = Node(
        node_id=record.node_id,
        **_fields(record),
        last_seen=now_at,
        state_changed_at=now_at,
        is_self=is_self,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            _write_history(row, "", label(row), reason, now_at)
    except IntegrityError:
        return False
    _tell(row, "", shown(row), actor_changed=False)
    return True


def _fields(record: MemberRecord) -> dict[str, Any]:
    facts = record.facts
    has_left = record.status == Status.LEFT
    liveness = Liveness.ALIVE if has_left else Liveness(record.status.value)
    uncounted = {"was_counted": False} if has_left and FORCED in facts.metadata else {}
    return uncounted | {
        "incarnation": record.incarnation,
        "liveness": liveness.value,
        "state": Lifecycle.LEFT.value if has_left else facts.lifecycle.value,
        "is_member": facts.is_member,
        "region": facts.region,
        "address": facts.address,
        "s3_url": facts.s3_url,
        "admin_url": facts.admin_url,
        "actor": facts.actor,
        "version": facts.version,
        "metadata": dict(facts.metadata),
    }


def change(
    row: Node,
    fields: Mapping[str, Any],
    *,
    reason: str,
    only_if_silent: bool = False,
    is_noted: bool = False,
) -> bool:
    """Change a row if nobody else has in the meantime; return whether it was changed.

    Args:
        row: The row as it was read; it holds the new values afterwards.
        fields: New values.
        reason: Why, for the history.
        only_if_silent: Also give up when the node was heard since the row was read.
        is_noted: Write history also when the word for the row stays the same.
    """
    before, shown_before, actor_before = label(row), shown(row), row.actor
    now_at = clock.utcnow()
    with transaction.atomic():
        held = Node.objects.filter(
            pk=row.pk, incarnation=row.incarnation, state=row.state, liveness=row.liveness
        )
        if only_if_silent:
            held = held.filter(last_seen=row.last_seen)
        _set(row, fields)
        after = label(row)
        if after != before:
            fields = {**fields, "state_changed_at": now_at}
            row.state_changed_at = now_at
        if held.update(**fields) != 1:
            return False
        if after != before or is_noted:
            _write_history(row, before, after, reason, now_at)
    is_new_disk = actor_before not in {0, row.actor}
    if shown(row) != shown_before or is_new_disk:
        _tell(row, shown_before, shown(row), actor_changed=is_new_disk)
    selectors.forget()
    return True


def _set(row: Node, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        setattr(row, name, value)


def _write_history(row: Node, old: str, new: str, reason: str, now_at: datetime) -> None:
    made = NodeTransition.objects.create(
        node=row,
        old=old,
        new=new,
        incarnation=row.incarnation,
        reason=reason[:REASON_CHARS_MAX],
        created_at=now_at,
    )
    NodeTransition.objects.filter(pk__lte=made.pk - TRANSITIONS_MAX).delete()
    logger.info("node %s: %s -> %s (%s)", row.node_id, old or "unknown", new, reason)


def _tell(row: Node, old: str, new: str, *, actor_changed: bool) -> None:
    def send() -> None:
        selectors.forget()
        answers = node_state_changed.send_robust(
            sender=Node, node_id=row.node_id, old=old, new=new, actor_changed=actor_changed
        )
        for receiver, answer in answers:
            if isinstance(answer, Exception):
                logger.error("%r failed on a state change", receiver, exc_info=answer)

    transaction.on_commit(send)


def label(row: Node) -> str:
    """Return the word for a row in the history: its state, or the doubt about it."""
    if row.state == Lifecycle.LEFT or row.liveness == Liveness.ALIVE:
        return str(row.state)
    return str(row.liveness)


def shown(row: Node) -> str:
    """Return the state that shows: a `NodeState` value, or "left"."""
    if row.state == Lifecycle.LEFT:
        return Lifecycle.LEFT.value
    return selectors.info_of(row).state.value


def is_fresh(row: Node) -> bool:
    """Return whether this node itself heard from another one a moment ago."""
    silence = (clock.utcnow() - row.last_seen).total_seconds()
    interval = conf.cluster_config().heartbeat_interval.total_seconds()
    is_recent = 0 <= silence < SUSPECT_AFTER_INTERVALS * interval
    return is_recent and row.liveness == Liveness.ALIVE


def own_row() -> Node | None:
    """Return this node's own row, None before its first start."""
    return Node.objects.filter(node_id=identity.load().node_id).first()


def own_record() -> MemberRecord:
    """Return what this node says of itself; it must have been started."""
    row = own_row()
    assert row is not None, "services.start() makes the row"
    return selectors.record_of(row)


def create_own(lifecycle: Lifecycle, *, is_member: bool) -> Node:
    """Make this node's own row; return it, or the one that another process just made."""
    record = MemberRecord(
        node_id=identity.load().node_id,
        incarnation=1,
        status=Status.ALIVE,
        facts=selectors.own_facts(lifecycle, is_member=is_member),
    )
    _create(record, is_self=True, reason="first start")
    row = own_row()
    assert row is not None
    return row


def change_own(
    lifecycle: Lifecycle,
    *,
    is_member: bool,
    reason: str,
    incarnation_min: int = 0,
    labels: Mapping[str, str] | None = None,
    is_noted: bool = False,
) -> Node:
    """Take a step of this node's own life under a new incarnation.

    Args:
        lifecycle: Where it goes.
        is_member: Whether it counts as a member from now on.
        reason: Why, for the history.
        incarnation_min: The new incarnation is at least this.
        labels: What it adds to its metadata; by default what still holds of what it had added.
        is_noted: Write history also when the node stays where it is.

    Raises:
        ClusterConflict: There is no such step from where it is.
    """
    for _ in range(ATTEMPTS_MAX):
        row = own_row()
        assert row is not None, "services.start() makes the row"
        was = Lifecycle(row.state)
        if was != lifecycle and not can_become(was, lifecycle):
            raise ClusterConflict(f"A node that is {was} cannot become {lifecycle}.")
        has_left = lifecycle == Lifecycle.LEFT
        record = MemberRecord(
            node_id=row.node_id,
            incarnation=max(row.incarnation + 1, incarnation_min),
            status=Status.LEFT if has_left else Status.ALIVE,
            facts=selectors.own_facts(
                lifecycle,
                is_member=is_member,
                labels=_labels_kept(row, is_member=is_member) if labels is None else labels,
            ),
        )
        fields = {**_fields(record), "is_self": True, "last_seen": clock.utcnow()}
        if change(row, fields, reason=reason, is_noted=is_noted):
            return row
    raise ClusterConflict("This node's record is being changed by someone else; try again.")


def _labels_kept(row: Node, *, is_member: bool) -> dict[str, str]:
    """Return this node's own labels that hold through a step: active, nobody is owed a count."""
    wanted = [LABEL_STOPPING] if is_member else [LABEL_STOPPING, LABEL_COUNTED]
    return {name: row.metadata[name] for name in wanted if name in row.metadata}


def _answer_rumour(heard: MemberRecord) -> None:
    row = own_row()
    if row is None:
        return
    own = selectors.record_of(row)
    refutation = refute(own, heard)
    if refutation is None:
        return
    if heard.facts.actor != row.actor and heard.facts.address != row.address:
        logger.error(
            "another node at %s calls itself %s too: give one of them another name",
            heard.facts.address,
            row.node_id,
        )
    lifecycle, is_member, reason = Lifecycle(row.state), row.is_member, "set a rumour right"
    if refutation.must_rejoin:
        removal = selectors.read().own_removal
        if removal is not None:
            leave_as_removed(removal)
            return
        # It had left by its own word, which a restored database has forgotten.
        lifecycle, is_member, reason = Lifecycle.STARTING, False, "had left, and joins again"
    change_own(
        lifecycle,
        is_member=is_member,
        reason=reason,
        incarnation_min=refutation.incarnation,
        labels=_labels_kept(row, is_member=is_member) | _labels_due(row, heard),
    )


def _labels_due(row: Node, heard: MemberRecord) -> dict[str, str]:
    """Return the label of a node that was a member with another disk, which it hears of now."""
    was_counted = heard.facts.is_member or LABEL_COUNTED in heard.facts.metadata
    is_other_disk = heard.facts.actor != row.actor and heard.status != Status.LEFT
    return {LABEL_COUNTED: LABEL_SET} if was_counted and is_other_disk and not row.is_member else {}


def leave_as_removed(removal: Removal) -> bool:
    """Mark this node as one that has left because others removed it; return whether it was in."""
    for _ in range(ATTEMPTS_MAX):
        row = own_row()
        if row is None or row.actor != removal.actor or row.state == Lifecycle.LEFT:
            return False
        record = MemberRecord(
            node_id=row.node_id,
            incarnation=row.incarnation + 1,
            status=Status.LEFT,
            facts=selectors.own_facts(Lifecycle.LEFT, is_member=False),
        )
        reason = f"was removed by {removal.removed_by}, epoch {removal.epoch}"
        if change(row, {**_fields(record), "is_self": True}, reason=reason):
            return True
    return False


def remove_row(row: Node, *, reason: str, is_forced: bool = False) -> bool:
    """Mark another node as one that has left; return whether nobody was faster.

    Args:
        row: The node's row.
        reason: Why, for the history.
        is_forced: It counts no more from now on, although no majority may know of it.
    """
    record = selectors.record_of(row)
    labels = {**record.facts.metadata, FORCED: "yes"} if is_forced else record.facts.metadata
    facts = replace(record.facts, lifecycle=Lifecycle.LEFT, is_member=False, metadata=labels)
    left = replace(record, status=Status.LEFT, facts=facts)
    return change(row, _fields(left), reason=reason)


def note_seed(address: str, node_id: str) -> None:
    """Remember which node answers at a seed address."""
    contact = SeedContact.objects.filter(address=address).first()
    if contact is None or contact.node_id != node_id:
        SeedContact.objects.update_or_create(
            address=address, defaults={"node_id": node_id, "met_at": clock.utcnow()}
        )
        selectors.forget()
