"""The key of an encrypted object changes hands between regions, and is never in clear."""

import pytest

from replication import travel
from replication.core.events import EventKind, ReplicationEvent
from rs3gw.common import keyring
from rs3gw.common.errors import SealError

DATA_KEY, PAIR = bytes(range(32)), "p" * 40


@pytest.fixture
def event(settings):
    settings.RS3GW_KEYRING, settings.RS3GW_CLUSTER_SECRET = "", "e" * 40
    key_id, wrapped = keyring.wrap(DATA_KEY)
    encryption = {"alg": "AES256", "key_id": key_id, "key": wrapped}
    return ReplicationEvent(
        kind=EventKind.PUT_OBJECT, payload={"size": 1, "headers": {"encryption": encryption}}
    )


def test_the_key_arrives_under_the_other_keyring(event, settings):
    sent = travel.for_region(event, PAIR)
    assert "key" not in sent.payload["headers"]["encryption"]
    settings.RS3GW_CLUSTER_SECRET = "w" * 40
    found = travel.from_region(sent, PAIR).payload["headers"]["encryption"]
    assert keyring.unwrap(found["key_id"], found["key"]) == DATA_KEY


def test_another_pairs_secret_opens_nothing(event):
    with pytest.raises(SealError):
        travel.from_region(travel.for_region(event, PAIR), "q" * 40)


def test_an_object_that_is_not_encrypted_travels_as_it_is():
    plain = ReplicationEvent(kind=EventKind.PUT_OBJECT, payload={"size": 1})
    assert travel.from_region(travel.for_region(plain, PAIR), PAIR) is plain
