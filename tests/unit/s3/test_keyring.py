"""The keyring outside the database."""

import base64

import pytest

from rs3gw.common import keyring
from rs3gw.common.errors import SealError, SettingError

DATA_KEY = bytes(range(32))


def line(name, byte):
    return f"{name} = {base64.b64encode(bytes([byte]) * 32).decode()}\n"


@pytest.fixture
def ring(settings):
    def write(text):
        settings.RS3GW_KEYRING = text

    return write


def test_a_key_is_wrapped_by_the_first_and_opened_by_any(ring):
    ring("# keys\n" + line("old", 1))
    name, wrapped = keyring.wrap(DATA_KEY)
    assert name == "old"
    ring(line("new", 2) + "\n" + line("old", 1))
    assert keyring.unwrap(name, wrapped) == DATA_KEY
    assert keyring.wrap(DATA_KEY)[0] == "new"


def test_a_key_that_is_gone_or_another_is_named(ring):
    ring(line("old", 1))
    name, wrapped = keyring.wrap(DATA_KEY)
    ring(line("new", 2))
    with pytest.raises(SealError, match="'old', which this node does not have"):
        keyring.unwrap(name, wrapped)
    ring(line("old", 3))
    with pytest.raises(SealError, match="is not the one"):
        keyring.unwrap(name, wrapped)


def test_without_a_file_the_cluster_secret_gives_the_key(settings):
    settings.RS3GW_KEYRING, settings.RS3GW_CLUSTER_SECRET = "", "s" * 40
    name, wrapped = keyring.wrap(DATA_KEY)
    assert (name, keyring.unwrap(name, wrapped)) == ("cluster", DATA_KEY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# none", "holds no key"),
        ("a = short\n", "not base64 of 32 bytes"),
        ("no equals sign\n", "line 1"),
        (line("a", 1) + line("a", 2), "line 2"),
    ],
)
def test_a_bad_keyring_is_refused(ring, text, reason):
    ring(text)
    with pytest.raises(SettingError, match=reason):
        keyring.check()
