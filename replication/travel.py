"""The keys of encrypted objects on their way to another region, whose keyring is another one.

Inside a region every node opens what any of them wrapped. For a region elsewhere the data key is
unwrapped, sealed with the secret that the two regions share, and wrapped again where it arrives.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from replication.core.events import ReplicationEvent
from rs3gw.common import keyring, secretbox

PURPOSE = "object-key"


def for_region(event: ReplicationEvent, pairing_secret: str) -> ReplicationEvent:
    """Return an event as it is sent to another region.

    Raises:
        SealError: This node cannot open the object's key.
    """
    encryption = _encryption(event)
    if "key" not in encryption:
        return event
    data_key = keyring.unwrap(str(encryption["key_id"]), str(encryption["key"]))
    sealed = secretbox.seal_with(pairing_secret, data_key, purpose=PURPOSE)
    return _with(event, {"alg": encryption["alg"], "sealed": sealed})


def from_region(event: ReplicationEvent, pairing_secret: str) -> ReplicationEvent:
    """Return an event of another region as the nodes of this one read it.

    Raises:
        SealError: The key was not sealed with the secret of this pair.
    """
    encryption = _encryption(event)
    if "sealed" not in encryption:
        return event
    data_key = secretbox.unseal_with(pairing_secret, str(encryption["sealed"]), purpose=PURPOSE)
    key_id, wrapped = keyring.wrap(data_key)
    return _with(event, {"alg": encryption["alg"], "key_id": key_id, "key": wrapped})


def _encryption(event: ReplicationEvent) -> Mapping[str, Any]:
    headers = event.payload.get("headers")
    found = headers.get("encryption") if isinstance(headers, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _with(event: ReplicationEvent, encryption: Mapping[str, Any]) -> ReplicationEvent:
    headers = {**event.payload["headers"], "encryption": dict(encryption)}
    return replace(event, payload={**event.payload, "headers": headers})
