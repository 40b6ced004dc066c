"""Numbers read as people say them."""

import pytest

from rs3gw.common import units


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (1023, "1023 B"), (4096, "4.0 KiB"), (3 * 2**30, "3.0 GiB")],
)
def test_sizes(size_bytes, text):
    assert units.format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "40 ms"), (3.21, "3.2 s"), (60, "60 s"), (720, "12 min"), (18_600, "5 h 10 min")],
)
def test_durations(seconds, text):
    assert units.format_duration(seconds) == text
