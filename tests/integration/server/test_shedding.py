"""More requests than can be answered in time: some run, some wait, the rest hear it at once."""

import contextlib
import threading
import time

import pytest

from rs3gw.server.admission import Admission, AdmissionConfig
from tests.integration.server.raw import PATIENCE_SECONDS, Client, wait_until

GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: "


class Gate:
    """An application that waits until the test lets it go on; health checks do not wait."""

    def __init__(self):
        self.entered = 0
        self.opened = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] != "/healthz":
            with self._lock:
                self.entered += 1
            assert self.opened.wait(PATIENCE_SECONDS)
        start_response("200 OK", [])
        return [b"done"]


def turned_away(environ, start_response):
    start_response("503 Slow Down", [("Retry-After", "1")])
    return [b"later"]


@pytest.fixture
def port(servers):
    """Start a port with two places and two seats for those that wait."""

    def start(*, wait_seconds=PATIENCE_SECONDS, waiting_max=2):
        gate, shed = Gate(), []
        admission = Admission(
            AdmissionConfig(
                running_max=2,
                waiting_max=waiting_max,
                wait_seconds=wait_seconds,
                is_limited=lambda request: request.target != b"/healthz",
                shed_app=turned_away,
                on_shed=shed.append,
            )
        )
        listener = servers.start(gate, threads=3, admission=admission)
        return listener.port, gate, admission, shed

    return start


@contextlib.contextmanager
def filled(number, gate, admission):
    """Occupy all places and seats."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(number)) for _ in range(4)]
        for client in clients:
            client.send(GET)
        wait_until(lambda: gate.entered == 2, "two requests run")
        wait_until(lambda: admission.waiting_count == 2, "two requests wait")
        yield clients
        gate.opened.set()


def test_what_is_too_much_is_turned_away_and_what_waited_is_answered(port):
    number, gate, admission, shed = port()
    with filled(number, gate, admission) as clients, Client(number) as late:
        answer = late.ask(GET)
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert shed == ["full"]
        gate.opened.set()
        assert [client.answer().status for client in clients] == [200] * 4
        # A connection that was turned away may ask again.
        assert late.ask(GET).status == 200
    wait_until(lambda: admission.running_count == 0, "all places are given back")


def test_health_checks_are_answered_while_all_places_are_taken(port):
    number, gate, admission, _ = port()
    with filled(number, gate, admission), Client(number) as client:
        started = time.monotonic()
        assert client.ask(HEALTH).status == 200
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("size", [b"10", b"1000000"])
@pytest.mark.parametrize("expectation", [b"", b"Expect: 100-continue\r\n"])
def test_a_body_that_would_follow_is_not_read_and_the_connection_ends(port, expectation, size):
    number, gate, admission, _ = port()
    with filled(number, gate, admission), Client(number) as client:
        answer = client.ask(PUT + size + b"\r\n" + expectation + b"\r\n")
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert client.is_closed()


def test_nobody_waits_for_longer_than_is_said(port):
    number, gate, admission, shed = port(wait_seconds=0.2)
    with filled(number, gate, admission) as clients:
        statuses = []

        def ask(client):
            statuses.append(client.answer().status)

        threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        wait_until(lambda: statuses == [503, 503], "those that waited hear it")
        assert shed == ["waited", "waited"]
        gate.opened.set()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 200, 503, 503]


def test_no_place_is_lost_under_load(port):
    number, gate, admission, _ = port()
    gate.opened.set()
    statuses = []

    def hammer():
        with Client(number) as client:
            statuses.extend(client.ask(GET).status for _ in range(50))

    threads = [threading.Thread(target=hammer) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > 0
    wait_until(lambda: admission.running_count == 0, "all places are given back")
    assert admission.waiting_count == 0
