"""The first signal asks, the second insists."""

import pytest

from rs3gw.common import stopping
from rs3gw.common.stopping import StopSignals


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    stopping.forget()


def test_the_first_signal_asks_and_the_second_insists():
    signals = StopSignals()

    signals.receive()
    assert (signals.asked.is_set(), signals.insisted.is_set()) == (True, False)
    signals.receive()
    assert signals.insisted.is_set()


def test_the_whole_process_knows_that_it_stops():
    assert not stopping.is_stopping()
    stopping.begin()
    assert stopping.is_stopping()
