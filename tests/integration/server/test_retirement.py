"""How the web process goes: unready, quiet, gone; and never later than it must."""

import threading
import time

import pytest
from django.test import RequestFactory

from rs3gw.common import stopping
from rs3gw.common.stopping import StopSignals
from rs3gw.console import views
from rs3gw.server import retirement
from tests.integration.server.raw import PATIENCE_SECONDS, Client, Recorder
from tests.integration.server.test_listener import GET, Gate

LONG_SECONDS = 60


@pytest.fixture(autouse=True)
def _forgotten():
    yield
    stopping.forget()


class Told:
    """A server that notes what it is told to do."""

    def __init__(self, words):
        self.words = words

    def retire(self):
        self.words.append("retire")

    def stop(self, seconds, hurried):
        self.words.append("stop at once" if hurried.is_set() else "stop")


@pytest.fixture
def words(monkeypatch):
    said = []
    monkeypatch.setattr(retirement.cluster_services, "say_stopping", lambda: said.append("tell"))
    return said


def test_peers_are_told_before_the_ports_close(words, settings):
    settings.RS3GW_CLUSTER_ENABLED, settings.RS3GW_DRAIN_SECONDS = True, 0

    retirement.retire(Told(words), StopSignals())

    assert words == ["retire", "tell", "stop"]
    answer = views.ready(RequestFactory().get("/healthz/ready"))
    assert (answer.status_code, answer.content) == (503, b"stopping")


def test_a_node_that_is_alone_waits_for_nobody(words, settings):
    settings.RS3GW_CLUSTER_ENABLED, settings.RS3GW_DRAIN_SECONDS = False, LONG_SECONDS

    retirement.retire(Told(words), StopSignals())

    assert words == ["retire", "stop"]


def test_a_second_signal_ends_the_quiet_time(words, settings):
    settings.RS3GW_CLUSTER_ENABLED, settings.RS3GW_DRAIN_SECONDS = True, LONG_SECONDS
    signals = StopSignals()
    signals.receive()
    signals.receive()

    retirement.retire(Told(words), signals)

    assert words == ["retire", "tell", "stop at once"]


def test_a_failure_to_tell_the_peers_does_not_keep_it(words, settings, monkeypatch):
    settings.RS3GW_CLUSTER_ENABLED, settings.RS3GW_DRAIN_SECONDS = True, 0

    def fail():
        raise retirement.DatabaseError("gone")

    monkeypatch.setattr(retirement.cluster_services, "say_stopping", fail)
    retirement.retire(Told(words), StopSignals())

    assert words == ["retire", "stop"]


def test_a_retiring_server_serves_on_and_lets_each_connection_end(servers):
    listener = servers.start(Recorder(), threads=2)
    with Client(listener.port) as kept, Client(listener.port) as new:
        assert kept.ask(GET).headers.get("connection", "keep-alive") == "keep-alive"
        listener.retire()

        assert kept.ask(GET).headers["connection"] == "close"
        assert new.ask(GET).headers["connection"] == "close"


def test_a_server_in_a_hurry_does_not_wait_for_its_requests(servers):
    gate, hurried = Gate(), threading.Event()
    listener = servers.start(gate, threads=1)
    with Client(listener.port) as client:
        client.send(GET)
        assert gate.entered.acquire(timeout=PATIENCE_SECONDS)
        hurried.set()
        started = time.monotonic()
        stopper = threading.Thread(target=listener.stop, args=(LONG_SECONDS, hurried))
        stopper.start()
        stopper.join(PATIENCE_SECONDS)
        assert not stopper.is_alive()
        assert time.monotonic() - started < PATIENCE_SECONDS
        gate.opened.set()
