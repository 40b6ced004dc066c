"""One HTTP/1.1 connection: reads and parses requests, and answers each in turn."""

import enum
import logging
import socket
from http import HTTPStatus
from typing import Any

from rs3gw.common import clock
from rs3gw.server.admission import Admission, Door
from rs3gw.server.channel import RECEIVE_BYTES_MAX, Channel, HandshakeError, NothingYetError
from rs3gw.server.exchange import Exchange
from rs3gw.server.file_slice import FileSlice
from rs3gw.server.parser import RequestParser
from rs3gw.server.protocol import (
    BadRequestError,
    BodyCutOffError,
    ClientGoneError,
    Request,
    ServerLimits,
    WsgiApp,
)

logger = logging.getLogger(__name__)
HEAD_RECEIVE_BYTES = 32 * 1024


class Verdict(enum.Enum):
    """What becomes of a connection after a turn."""

    PARK = enum.auto()
    AGAIN = enum.auto()
    QUEUE = enum.auto()
    CLOSE = enum.auto()
    CLOSE_GENTLY = enum.auto()


class Host:
    """What a connection asks of its listener while it is served.

    Attributes:
        admission: Which requests may run; None when all may.
    """

    admission: Admission | None = None

    def is_stopping(self) -> bool:
        """Return whether the server is going down."""
        return False

    def is_contended(self) -> bool:
        """Return whether other connections wait for a thread."""
        return False

    def leave(self) -> None:
        """Give the place of a request that has run to the next one."""


class Connection:
    """A client's connection while it is open.

    Attributes:
        waits_since: Since when (monotonic seconds) it waits for a request, for the rest of a
            request's head, or for a place.
        door: What was decided for its request while that waited for a place.
    """

    door: Door | None = None

    def __init__(
        self, channel: Channel, peer: tuple[str, int], base: dict[str, Any], limits: ServerLimits
    ) -> None:
        self._channel = channel
        self.peer = peer
        self.limits = limits
        self.waits_since = clock.monotonic()
        self._base = base
        self._parser = RequestParser(limits)

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._channel.socket.fileno()

    @property
    def is_overdue(self) -> bool:
        """Whether it has waited for too long: for a request, or for the end of what has begun."""
        limits = self.limits
        is_inside = self._parser.is_inside_head or not self._channel.is_ready
        limit = limits.head_timeout_seconds if is_inside else limits.idle_timeout_seconds
        return clock.monotonic() - self.waits_since > limit

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def abort(self) -> None:
        """End the connection under the thread that serves it."""
        try:
            self._channel.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            logger.debug("the connection has ended already", exc_info=True)

    # --- a turn ------------------------------------------------------------------------------

    def serve(self, app: WsgiApp, host: Host) -> Verdict:
        """Answer requests while they come quickly; return what is to become of the connection."""
        turn_ends = clock.monotonic() + self.limits.turn_seconds
        try:
            while True:
                request = self._next_request(host)
                if isinstance(request, Verdict):
                    return request
                verdict = self._admit_and_answer(app, request, host)
                if verdict is not None:
                    return verdict
                if host.is_contended() and clock.monotonic() > turn_ends:
                    return self._rest()
        except BadRequestError as error:
            return self.refuse(error.status)
        except HandshakeError:
            return Verdict.CLOSE_GENTLY
        except OSError:
            return Verdict.CLOSE

    def _rest(self) -> Verdict:
        # No selector reports what was received already.
        parser = self._parser
        has_more = parser.requests or parser.failure or self._channel.is_ended
        return Verdict.AGAIN if has_more else Verdict.PARK

    def _next_request(self, host: Host) -> Request | Verdict:
        """Return the next request whose head is complete, or what to do without one."""
        parser = self._parser
        while not parser.requests or not parser.requests[0].is_head_complete:
            if parser.failure is not None:
                raise parser.failure
            was_inside = parser.is_inside_head
            try:
                size = self._receive(
                    self.limits.linger_seconds, HEAD_RECEIVE_BYTES, is_hurried=host.is_contended()
                )
            except BlockingIOError:
                return Verdict.PARK
            if not size:
                return Verdict.CLOSE
            if not was_inside:
                self.waits_since = clock.monotonic()
            elif self.is_overdue:
                raise BadRequestError(408)
        request = parser.requests[0]
        if parser.failure is not None and not request.is_complete:
            raise parser.failure
        return request

    def _receive(self, timeout_seconds: float, size_bytes: int, *, is_hurried: bool = False) -> int:
        """Read and parse what has arrived; 0 when the client has closed.

        Raises:
            BlockingIOError: Nothing came in time.
        """
        data = self._channel.receive(timeout_seconds, size_bytes, is_hurried=is_hurried)
        if data:
            self._parser.feed(data)
        return len(data)

    def _admit_and_answer(self, app: WsgiApp, request: Request, host: Host) -> Verdict | None:
        """Answer one request when it may run, or send it away; None when the next may follow."""
        admission = host.admission
        door = Door.FREE if admission is None else admission.ask(self, request)
        if door is Door.WAIT:
            return Verdict.QUEUE
        if door is Door.SHED:
            assert admission is not None
            keeps_alive = request.keeps_alive and request.is_complete
            return self._answer(admission.config.shed_app, request, host, keeps_alive=keeps_alive)
        try:
            return self._answer(app, request, host, keeps_alive=request.keeps_alive)
        finally:
            if door is Door.IN:
                host.leave()

    def _answer(
        self, app: WsgiApp, request: Request, host: Host, *, keeps_alive: bool
    ) -> Verdict | None:
        """Answer one request; None when the next one may follow."""
        exchange = Exchange(self, request, keeps_alive=keeps_alive)
        keeps_alive = exchange.run(app, self._base, host.is_stopping)
        if not keeps_alive or not self._drain(request):
            is_quiet = request.is_complete and self._parser.failure is None
            return Verdict.CLOSE if is_quiet else Verdict.CLOSE_GENTLY
        self._parser.requests.popleft()
        self.waits_since = clock.monotonic()
        return None

    def _drain(self, request: Request) -> bool:
        """Read what the application left of a small body; give up on a large one."""
        deadline = clock.monotonic() + self.limits.drain_timeout_seconds
        start_bytes = request.body_bytes
        while not request.is_complete:
            request.body.clear()
            left_seconds = deadline - clock.monotonic()
            drained_bytes = request.body_bytes - start_bytes
            if left_seconds <= 0 or drained_bytes > self.limits.drain_bytes_max:
                return False
            if self._parser.failure is not None:
                return False
            try:
                if not self._receive(left_seconds, RECEIVE_BYTES_MAX):
                    return False
            except NothingYetError:
                continue
            except BlockingIOError:
                return False
        return True

    # --- what an exchange uses -----------------------------------------------------------------

    def receive_body(self, request: Request) -> None:
        """Wait for more of a request's body.

        Raises:
            BodyCutOffError: None will come.
        """
        if self._parser.failure is not None:
            raise BodyCutOffError("the body is malformed")
        try:
            size = self._receive(self.limits.progress_timeout_seconds, RECEIVE_BYTES_MAX)
        except NothingYetError:
            return
        except BlockingIOError:
            raise BodyCutOffError("the body stopped arriving") from None
        except OSError as error:
            raise BodyCutOffError("the client left before its body was complete") from error
        if not size and not request.is_complete:
            raise BodyCutOffError("the client closed before its body was complete")

    def send(self, data: bytes, *, more: bool = False) -> None:
        """Send all of `data`; `more` says that something follows at once.

        Raises:
            ClientGoneError: The client does not take it.
        """
        try:
            self._channel.send(data, more=more)
        except OSError as error:
            raise ClientGoneError("the client does not take its answer") from error

    def send_file(self, part: FileSlice, length: int) -> None:
        """Send the first `length` bytes of a part of a file.

        Raises:
            ClientGoneError: The client does not take it.
            EOFError: The file is shorter.
        """
        try:
            self._channel.send_file(part, length)
        except (BlockingIOError, ConnectionError) as error:
            raise ClientGoneError("the client does not take its answer") from error

    # --- the end -------------------------------------------------------------------------------

    def refuse(self, status: int) -> Verdict:
        """Answer that the request cannot be served, without the application."""
        phrase = HTTPStatus(status).phrase
        body = f"{status} {phrase}\n".encode()
        head = (
            f"HTTP/1.1 {status} {phrase}\r\nContent-Type: text/plain\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return self.say_last(head.encode() + body)

    def give_up(self) -> Verdict:
        """End a connection that has waited for too long; one inside a request is told."""
        return self.refuse(408) if self._parser.is_inside_head else Verdict.CLOSE

    def say_last(self, data: bytes) -> Verdict:
        """Send a last short answer to a client that may not be listening; never waits."""
        try:
            self._channel.send_now(data)
        except OSError:
            logger.debug("a refusal did not arrive", exc_info=True)
            return Verdict.CLOSE
        return Verdict.CLOSE_GENTLY

    def begin_close(self) -> bool:
        """Say that nothing more is sent; return False when there is nobody to say it to."""
        self.waits_since = clock.monotonic()
        return self._channel.begin_close()

    def discard_input(self) -> bool:
        """Throw away what a closing client still sends; return False when it has ended."""
        return self._channel.discard()
