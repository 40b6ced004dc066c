"""A bad environment variable stops the start and says what to do."""

import pytest

from rs3gw.common import env
from rs3gw.common.errors import SettingError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), ("500ms", 0.5), ("2m", 120.0), ("1.5h", 5400.0), ("1d", 86400)],
)
def test_durations_have_units(monkeypatch, text, seconds):
    monkeypatch.setenv("RS3GW_X", text)
    assert env.envduration("RS3GW_X", 1, minimum=0, maximum=1e6) == seconds


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("5", 5), ("16KiB", 16384), ("1m", 2**20), ("5GiB", 5 * 2**30)]
)
def test_sizes_have_units(monkeypatch, text, size_bytes):
    monkeypatch.setenv("RS3GW_X", text)
    assert env.envsize("RS3GW_X", 1, minimum=0, maximum=2**40) == size_bytes


@pytest.mark.parametrize(
    "read",
    [
        lambda: env.envbool("RS3GW_X"),
        lambda: env.envint("RS3GW_X", 1, minimum=0, maximum=9),
        lambda: env.envduration("RS3GW_X", 1, minimum=0, maximum=9),
        lambda: env.envsize("RS3GW_X", 1, minimum=0, maximum=9),
        lambda: env.envchoice("RS3GW_X", "a", {"a", "b"}),
        lambda: env.envlist("RS3GW_X", pattern=r"\d+"),
        lambda: env.envstr("RS3GW_X", pattern=r"\d+"),
    ],
)
def test_a_bad_value_names_the_variable_the_value_and_what_is_allowed(monkeypatch, read):
    monkeypatch.setenv("RS3GW_X", "nonsense")
    with pytest.raises(SettingError) as caught:
        read()
    assert "RS3GW_X" in caught.value.message
    assert "nonsense" in caught.value.message
    assert "must" in caught.value.message


def test_a_number_outside_its_range_is_refused(monkeypatch):
    monkeypatch.setenv("RS3GW_X", "10")
    with pytest.raises(SettingError, match="from 0 to 9"):
        env.envint("RS3GW_X", 1, minimum=0, maximum=9)


def test_a_short_secret_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv("RS3GW_X", "hunter2")
    with pytest.raises(SettingError) as caught:
        env.envsecret("RS3GW_X", bytes_min=16)
    assert "hunter2" not in caught.value.message


def test_a_secret_can_come_from_a_file(monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text("a-secret-of-sixteen-or-more\n")
    monkeypatch.setenv("RS3GW_X_FILE", str(file))
    assert env.envsecret("RS3GW_X") == "a-secret-of-sixteen-or-more"


def test_a_missing_file_stops_the_start(monkeypatch, tmp_path):
    monkeypatch.setenv("RS3GW_X_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(SettingError, match="RS3GW_X_FILE"):
        env.envsecret("RS3GW_X")


def test_a_value_and_a_file_together_are_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("RS3GW_X", "one")
    monkeypatch.setenv("RS3GW_X_FILE", str(tmp_path / "two"))
    with pytest.raises(SettingError, match="not both"):
        env.envstr("RS3GW_X")
