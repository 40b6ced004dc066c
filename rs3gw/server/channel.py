"""The bytes of one client's connection: received, sent, and ended.

The socket blocks, with the kernel's own time-outs (SO_RCVTIMEO, SO_SNDTIMEO): that is one system
call for a read where Python's time-outs need two, and they bound pauses, not whole transfers.
"""

import logging
import os
import socket
import struct
import threading

from rs3gw.server.file_slice import FileSlice

logger = logging.getLogger(__name__)
RECEIVE_BYTES_MAX = 256 * 1024
# What decrypting a receipt may add to it: the rest of a record that came before.
ROOM_BYTES = 32 * 1024
DISCARD_BYTES = 64 * 1024
SENDFILE_BYTES = 16 * 1024 * 1024


class NothingYetError(BlockingIOError):
    """Bytes have come that say nothing by themselves: a part of a handshake or of a record."""


class HandshakeError(ConnectionError):
    """The client cannot be talked to: it shares no protocol with us, or breaks the one it has."""


class Buffers(threading.local):
    """A receive buffer for each thread."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(RECEIVE_BYTES_MAX + ROOM_BYTES))


buffers = Buffers()


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, max(1 if not whole else 0, int((seconds - whole) * 1e6)))


class Channel:
    """A connection without encryption.

    Attributes:
        is_ready: Requests may come: there is no handshake, or it is over.
        is_ended: The client has said that it sends nothing more.
    """

    is_ready = True
    is_ended = False

    def __init__(self, sock: socket.socket, send_timeout_seconds: float) -> None:
        self.socket = sock
        self._receive_timeout_seconds = -1.0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(send_timeout_seconds))

    def receive(
        self, timeout_seconds: float, size_bytes: int, *, is_hurried: bool = False
    ) -> memoryview:
        """Return what has arrived, in this thread's buffer; empty when the client has closed.

        Args:
            timeout_seconds: How long to wait for the first byte; not at all when `is_hurried`.
            size_bytes: Most that is taken from the socket; up to RECEIVE_BYTES_MAX.
            is_hurried: Return at once.

        Raises:
            BlockingIOError: Nothing came in time.
        """
        if timeout_seconds != self._receive_timeout_seconds:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(timeout_seconds))
            self._receive_timeout_seconds = timeout_seconds
        view = buffers.view
        flags = socket.MSG_DONTWAIT if is_hurried else 0
        return view[: self.socket.recv_into(view, size_bytes, flags)]

    def send(self, data: bytes, *, more: bool = False) -> None:
        """Send all of `data`; `more` says that something follows at once.

        Raises:
            OSError: The client does not take it.
        """
        self.socket.sendall(data, socket.MSG_MORE if more else 0)

    def send_now(self, data: bytes) -> None:
        """Send what goes without waiting: a last word to a client that may not be listening.

        Raises:
            OSError: The client does not take it.
        """
        self.socket.send(data, socket.MSG_DONTWAIT)

    def send_file(self, part: FileSlice, length: int) -> None:
        """Send the first `length` bytes of a part of a file.

        Raises:
            OSError: The client does not take it, or the file cannot be read.
            EOFError: The file is shorter.
        """
        source, position, end = part.file.fileno(), part.offset, part.offset + length
        while position < end:
            count = min(SENDFILE_BYTES, end - position)
            sent = os.sendfile(self.socket.fileno(), source, position, count)
            if not sent:
                raise EOFError("the file is shorter than what was promised of it")
            position += sent

    def begin_close(self) -> bool:
        """Say that nothing more is sent; return False when there is nobody to say it to."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def discard(self) -> bool:
        """Throw away what a client still sends; return False when it has ended."""
        try:
            return bool(self.socket.recv_into(buffers.view, DISCARD_BYTES, socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def close(self) -> None:
        """Close the connection."""
        try:
            self.socket.close()
        except OSError:
            logger.debug("closing a connection failed", exc_info=True)
