"""A configuration that exists can be used."""

from dataclasses import fields
from datetime import timedelta

import pytest

from cluster.core.config import ClusterConfig, ConfigError, ReplicationMode

USABLE = {
    "node_id": "node-1",
    "advertise_addr": "192.168.1.10:9001",
    "bind_addr": "0.0.0.0:9001",
}


def test_it_has_exactly_the_fields_of_the_specification():
    assert [field.name for field in fields(ClusterConfig)] == [
        "node_id",
        "advertise_addr",
        "bind_addr",
        "seed_nodes",
        "replication_mode",
        "replication_factor",
        "heartbeat_interval",
        "heartbeat_timeout",
        "gossip_interval",
    ]


def test_the_defaults_are_those_of_the_specification():
    config = ClusterConfig(**USABLE)

    assert config.seed_nodes == ()
    assert config.replication_mode is ReplicationMode.ASYNCHRONOUS
    assert config.replication_factor == 2
    assert config.heartbeat_interval == timedelta(seconds=5)
    assert config.heartbeat_timeout == timedelta(seconds=15)
    assert config.gossip_interval == timedelta(seconds=1)


def test_modes_have_the_words_of_the_setting():
    assert {mode.name: mode.value for mode in ReplicationMode} == {
        "SYNCHRONOUS": "sync",
        "ASYNCHRONOUS": "async",
        "QUORUM": "quorum",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("node_id", ""),
        ("node_id", "Node 1"),
        ("node_id", "n" * 64),
        ("advertise_addr", "node-1"),
        ("advertise_addr", "node-1:0"),
        ("advertise_addr", "node-1:65536"),
        ("bind_addr", ":9001"),
        ("seed_nodes", ["node-2:9001", "node-3"]),
        ("replication_factor", -1),
        ("heartbeat_interval", timedelta(0)),
        ("gossip_interval", timedelta(seconds=-1)),
        ("heartbeat_timeout", timedelta(seconds=9)),
    ],
)
def test_a_value_that_cannot_work_is_refused_by_name(field, value):
    with pytest.raises(ConfigError) as caught:
        ClusterConfig(**{**USABLE, field: value})

    assert field in caught.value.message


def test_ipv6_addresses_are_addresses():
    assert ClusterConfig(**{**USABLE, "advertise_addr": "[fd00::1]:9001"})


def test_a_node_is_not_its_own_seed():
    seeds = ["node-2:9001", "192.168.1.10:9001", "node-2:9001"]

    assert ClusterConfig(**USABLE, seed_nodes=seeds).other_seeds() == ("node-2:9001",)
