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
        ("a = \u00e9\u00e9\u00e9\u00e9\n", "not base64 of 32 bytes"),
        ("no equals sign\n", "line 1"),
        (line("a", 1) + line("a", 2), "line 2"),
    ],
)
def test_a_bad_keyring_is_refused(ring, text, reason):
    ring(text)
    with pytest.raises(SettingError, match=reason):
        keyring.check()


def test_a_file_does_not_shut_out_what_the_cluster_secret_sealed(ring, settings):
    settings.RS3GW_CLUSTER_SECRET = "s" * 40
    ring("")
    name, wrapped = keyring.wrap(DATA_KEY)
    ring(line("new", 2))
    assert keyring.wrap(DATA_KEY)[0] == "new"
    assert keyring.unwrap(name, wrapped) == DATA_KEY


def test_a_node_that_joins_a_cluster_still_opens_its_own(ring, settings):
    ring("")
    settings.RS3GW_CLUSTER_SECRET = ""
    name, wrapped = keyring.wrap(DATA_KEY)
    settings.RS3GW_CLUSTER_SECRET = "s" * 40
    assert keyring.unwrap(name, wrapped) == DATA_KEY
    settings.SECRET_KEY = "another node's " * 4
    with pytest.raises(SealError, match="is not the one"):
        keyring.unwrap(name, wrapped)


@pytest.mark.parametrize(("mode", "is_warned"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_file_that_everybody_reads_is_warned_of(
    ring, tmp_path, monkeypatch, caplog, mode, is_warned
):
    ring(line("a", 1))
    path = tmp_path / "keys"
    path.write_text(line("a", 1))
    path.chmod(mode)
    monkeypatch.setenv("RS3GW_KEYRING_FILE", str(path))
    keyring.check()
    assert bool(caplog.records) == is_warned
    if is_warned:
        assert str(path) in caplog.text
