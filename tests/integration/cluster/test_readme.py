"""The examples in the module's README run, in their order."""

import re
from pathlib import Path

import cluster
from cluster.core.config import ReplicationMode
from cluster.core.node import Lifecycle
from cluster.services import table

README = Path(cluster.__file__).parent / "README.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_examples_run(seeded, capsys):
    seeded("node-2", "node-3")
    blocks = _BLOCK.findall(README.read_text(encoding="utf-8"))
    leaving = next(block for block in blocks if "node.leave()" in block)
    names = {}
    for block in [*(b for b in blocks if b is not leaving), leaving]:
        exec(compile(block, str(README), "exec"), names)

    assert names["config"].replication_mode is ReplicationMode.QUORUM
    assert names["can_write"] is True
    assert {names["first"], names["second"]} & {"node-1", "node-2"}
    assert "node-3" in {names["first"], names["second"]}
    printed = capsys.readouterr().out
    assert "Node: node-1 - State: active" in printed
    assert "Healthy nodes: 3" in printed
    assert table.own_row().state == Lifecycle.LEFT
