"""When a change of the membership is known to enough nodes to count alone."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from cluster import selectors
from cluster.core.electorate import Electorate, is_settled
from cluster.core.node import Lifecycle, NodeInfo
from cluster.models import Node
from cluster.selectors import Snapshot


def settle_with(before: Snapshot, answers: Mapping[str, object], seen: Sequence[NodeInfo]) -> None:
    """Count the members alone that are members now, once a majority of those before knows them.

    Args:
        before: The table as it was when the others were asked.
        answers: What they said, by address.
        seen: Who answered.
    """
    electorate = before.electorate
    if electorate.settled == electorate.current or electorate.unmet:
        return
    agreeing = [node.node_id for node in seen if _has_same_table(answers[node.address], before)]
    if is_settled(electorate, [before.own.node_id, *agreeing]):
        settle(electorate)


def _has_same_table(answer: object, before: Snapshot) -> bool:
    return isinstance(answer, dict) and answer.get("digest") == before.table.digest()


def settle(electorate: Electorate) -> None:
    """Count the members alone that are members now; enough nodes know of them.

    Args:
        electorate: What was counted when that was found out; nothing is done if it has changed.
    """
    with transaction.atomic():
        rows = list(Node.objects.select_for_update())
        members = {row.node_id for row in rows if row.is_member and row.state != Lifecycle.LEFT}
        if members != electorate.current:
            return
        Node.objects.filter(node_id__in=members, was_counted=False).update(was_counted=True)
        Node.objects.exclude(node_id__in=members).filter(was_counted=True).update(was_counted=False)
    selectors.forget()
