"""What a development cluster consists of, as values: nodes, ports, environments."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rs3gw.server.devcluster.certificates import files_in

PORTS_PER_NODE = 10
HOST = "127.0.0.1"
_TOPOLOGY = re.compile(r"([a-z0-9][a-z0-9-]*):([1-9]\d?)")


class PlanError(ValueError):
    """The options of a development cluster cannot be used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNode:
    """One node of the plan."""

    node_id: str
    region: str
    s3_port: int
    cluster_port: int
    data_dir: str
    is_tls: bool = False
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def s3_url(self) -> str:
        """Where its S3 endpoint answers."""
        return f"{'https' if self.is_tls else 'http'}://{HOST}:{self.s3_port}"

    @property
    def cluster_url(self) -> str:
        """Where other nodes reach it."""
        return f"http://{HOST}:{self.cluster_port}"

    @property
    def admin_url(self) -> str:
        """Where its admin answers."""
        return f"{self.s3_url}/admin/"

    def to_json(self) -> dict[str, Any]:
        """Return the node for the state file."""
        return {**asdict(self), "env": dict(self.env)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `devcluster up` was asked for."""

    topology: Sequence[tuple[str, int]]
    base_port: int
    mode: str
    replication_factor: int
    database: str
    is_tls: bool = False


def parse_topology(text: str) -> list[tuple[str, int]]:
    """Return (region, nodes) of a text such as `us-east-1:3,eu-west-1:1`.

    Raises:
        PlanError: The text is of another form, or names a region twice.
    """
    found = []
    for piece in text.split(","):
        match = _TOPOLOGY.fullmatch(piece.strip())
        if not match:
            raise PlanError(f"{piece!r} is not <region>:<nodes>, such as us-east-1:3")
        found.append((match[1], int(match[2])))
    if len({region for region, _ in found}) != len(found):
        raise PlanError("each region is named once")
    return found


def plan_nodes(options: Options, directory: Path) -> list[PlannedNode]:
    """Return the nodes, their ports and their directories; without environments."""
    nodes: list[PlannedNode] = []
    for region, count in options.topology:
        for number in range(1, count + 1):
            port = options.base_port + PORTS_PER_NODE * len(nodes)
            node_id = f"{region}-{number}"
            nodes.append(
                PlannedNode(
                    node_id=node_id,
                    region=region,
                    s3_port=port,
                    cluster_port=port + 1,
                    data_dir=str(directory / node_id),
                    is_tls=options.is_tls,
                )
            )
    if nodes[-1].cluster_port > 65_535:
        raise PlanError("the ports exceed 65535: choose a lower --base-port")
    return nodes


def environment(
    node: PlannedNode, nodes: Sequence[PlannedNode], options: Options, secrets_dir: Path
) -> dict[str, str]:
    """Return the RS3GW_* variables of a node."""
    seeds = [f"{HOST}:{n.cluster_port}" for n in nodes if n.region == node.region and n != node]
    certificate = files_in(secrets_dir)
    tls = {"RS3GW_TLS_CERT": str(certificate.cert), "RS3GW_TLS_KEY": str(certificate.key)}
    return {
        **(tls if node.is_tls else {}),
        "RS3GW_DATA_DIR": node.data_dir,
        "RS3GW_BIND_ADDR": f"{HOST}:{node.s3_port}",
        "RS3GW_REGION": node.region,
        "RS3GW_CLUSTER_ENABLED": "true",
        "RS3GW_CLUSTER_NODE_ID": node.node_id,
        "RS3GW_CLUSTER_ADVERTISE_ADDR": f"{HOST}:{node.cluster_port}",
        "RS3GW_CLUSTER_PORT": str(node.cluster_port),
        "RS3GW_CLUSTER_SEED_NODES": ",".join(seeds),
        "RS3GW_REPLICATION_MODE": options.mode,
        "RS3GW_REPLICATION_FACTOR": str(options.replication_factor),
        "RS3GW_SECRET_KEY_FILE": str(secrets_dir / f"{node.node_id}.key"),
        "RS3GW_CLUSTER_SECRET_FILE": str(secrets_dir / f"{node.region}.cluster"),
    }
