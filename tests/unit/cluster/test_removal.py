"""Who was removed, as other nodes tell it."""

import pytest

from cluster.core.membership import MalformedMessage
from cluster.core.removal import Removal, Removals, removals_from_json

GONE = Removal(node_id="node-2", actor=512, epoch=3, removed_by="ann on node-1", at_ms=5)


def test_a_removal_holds_for_the_writer_id_it_names():
    removed = Removals([GONE])

    assert removed.find("node-2", 512) == GONE
    assert removed.find("node-2", 768) is None
    assert removed.find("node-1", 512) is None


def test_before_the_first_removal_the_epoch_is_zero():
    assert Removals().epoch == 0
    assert Removals([GONE]).epoch == 3


@pytest.mark.parametrize(
    "data",
    [
        None,
        [None],
        [{}],
        [{**GONE.to_json(), "node_id": "Not A Name"}],
        [{**GONE.to_json(), "actor": 0}],
        [{**GONE.to_json(), "epoch": -1}],
        [{**GONE.to_json(), "epoch": 0}],
        [{**GONE.to_json(), "by": 7}],
        [GONE.to_json()] * 1001,
    ],
)
def test_what_is_no_removal_is_refused(data):
    with pytest.raises(MalformedMessage):
        removals_from_json(data)


def test_a_field_of_a_later_version_is_ignored():
    assert removals_from_json([{**GONE.to_json(), "why": "gone"}]) == Removals([GONE])
