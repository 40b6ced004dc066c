"""TLS for a port: a certificate that can be renewed, and the channel that encrypts with it.

OpenSSL works on memory here, never on the socket. So time-outs stay the kernel's, one system call
receives many records, and whatever has arrived is decrypted at once: nothing waits inside, where
no selector sees it.
"""

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from rs3gw.common.errors import SettingError
from rs3gw.server.channel import Channel, HandshakeError, NothingYetError, buffers
from rs3gw.server.file_slice import FileSlice
from rs3gw.server.protocol import BadRequestError

logger = logging.getLogger(__name__)
PROTOCOL = "http/1.1"
# For TLS 1.2; those of 1.3 are all good.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
# OpenSSL keeps memory of this size, both ways, for as long as a connection is open.
SEND_BYTES = RECEIVE_BYTES = 32 * 1024
_HANDSHAKE_RECORD = 0x16


class Certificate:
    """The certificate of a port, as two PEM files that are read again when they were renewed."""

    def __init__(self, cert_file: str, key_file: str) -> None:
        """Read both files.

        Raises:
            SettingError: They are not readable, no PEM, or do not belong together.
        """
        self._files = (cert_file, key_file)
        self._context = self._read()

    def reload(self) -> None:
        """Use what is in the files now for new connections.

        Raises:
            SettingError: It cannot be used; what was read last stays in use.
        """
        self._context = self._read()

    def channel(self, sock: socket.socket, send_timeout_seconds: float) -> "TlsChannel":
        """Return the channel of a new connection."""
        return TlsChannel(sock, send_timeout_seconds, self._context)

    def _read(self) -> ssl.SSLContext:
        cert_file, key_file = self._files
        for name, path in (("RS3GW_TLS_CERT", cert_file), ("RS3GW_TLS_KEY", key_file)):
            try:
                Path(path).read_bytes()
            except OSError as error:
                raise SettingError(name, path, f"it cannot be read: {error.strerror}") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_ciphers(CIPHERS)
        context.set_alpn_protocols([PROTOCOL])
        try:
            context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
        except (ssl.SSLError, _PassphraseError) as error:
            raise SettingError(
                "RS3GW_TLS_KEY",
                key_file,
                f"it must be the PEM private key, without passphrase, of {cert_file} ({error})",
            ) from None
        return context


class _PassphraseError(Exception):
    """The key is encrypted."""


def _no_passphrase() -> str:
    # OpenSSL would ask the terminal.
    raise _PassphraseError("it is encrypted")


def _read_into(tls: ssl.SSLObject, view: memoryview) -> int:
    """Read into a buffer, where the stubs know bytes only."""
    read: Callable[[int, memoryview], int] = tls.read  # type: ignore[assignment]
    return read(len(view), view)


class TlsChannel(Channel):
    """An encrypted connection. The handshake is made of receipts like any other.

    A client that speaks something else is answered in the clear, since it understands nothing
    else, and is closed.
    """

    is_ready = False

    def __init__(
        self, sock: socket.socket, send_timeout_seconds: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(sock, send_timeout_seconds)
        self._context = context
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # Made with the client's first byte: a connection that says nothing costs nothing.
        self._tls: ssl.SSLObject | None = None
        self._is_clear = False
        self._may_say_goodbye = False

    # --- receiving -------------------------------------------------------------------------------

    def receive(
        self, timeout_seconds: float, size_bytes: int, *, is_hurried: bool = False
    ) -> memoryview:
        """Return what has arrived and could be decrypted; empty when the client has closed.

        Raises:
            NothingYetError: What has arrived is not yet readable.
            BlockingIOError: Nothing came in time.
            BadRequestError: The client speaks something else than TLS.
            HandshakeError: The client breaks the protocol, or speaks none that we do.
        """
        if self.is_ended:
            return buffers.view[:0]
        size_bytes = min(size_bytes, RECEIVE_BYTES)
        raw = super().receive(timeout_seconds, size_bytes, is_hurried=is_hurried)
        if not raw:
            self._may_say_goodbye = False
            return raw
        tls = self._tls or self._begin(raw[0])
        self._incoming.write(raw)
        try:
            if not self.is_ready:
                self._shake_hands(tls)
            return self._decrypt(tls)
        except ssl.SSLWantReadError:
            self._flush()
            raise NothingYetError from None
        except ssl.SSLError as error:
            logger.debug("a client broke the protocol: %s", error)
            self._may_say_goodbye = False
            self._send_alert()
            raise HandshakeError(str(error)) from None

    def _begin(self, first_byte: int) -> ssl.SSLObject:
        if first_byte != _HANDSHAKE_RECORD:
            self._is_clear = True
            raise BadRequestError(400)
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        return self._tls

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        tls.do_handshake()
        # Session tickets are in `_outgoing` now, and leave with the first answer.
        self.is_ready = self._may_say_goodbye = True

    def _decrypt(self, tls: ssl.SSLObject) -> memoryview:
        """Return everything that can be read; the buffer has room for more than can have come.

        Raises:
            ssl.SSLWantReadError: There is nothing to be read.
        """
        view, filled = buffers.view, 0
        try:
            while size := _read_into(tls, view[filled:]):
                filled += size
            self.is_ended = True
        except ssl.SSLZeroReturnError:
            self.is_ended = True
        except ssl.SSLWantReadError:
            if not filled:
                raise
        return view[:filled]

    # --- sending ---------------------------------------------------------------------------------

    def send(self, data: bytes, *, more: bool = False) -> None:
        """Send all of `data`; `more` says that something follows at once.

        Raises:
            OSError: The client does not take it.
        """
        if self._is_clear:
            super().send(data, more=more)
            return
        view = memoryview(data)
        for start in range(0, len(view), SEND_BYTES):
            self._encrypt(view[start : start + SEND_BYTES])
            # With more to come, a part of it waits to leave in one piece with that.
            if not more:
                self._flush()

    def send_now(self, data: bytes) -> None:
        """Send what goes without waiting.

        Raises:
            OSError: The client does not take it, or no handshake has made it able to.
        """
        if not self._is_clear:
            if not self.is_ready:
                raise HandshakeError("there is no common language yet")
            self._encrypt(memoryview(data))
            data = self._outgoing.read()
        super().send_now(data)

    def send_file(self, part: FileSlice, length: int) -> None:
        """Send the first `length` bytes of a part of a file.

        Raises:
            OSError: The client does not take it, or the file cannot be read.
            EOFError: The file is shorter.
        """
        for piece in FileSlice(part.file, part.offset, length):
            self.send(piece)

    def _encrypt(self, data: memoryview) -> None:
        if self._tls is None:
            raise HandshakeError("there is no common language yet")
        while data:
            data = data[self._tls.write(data) :]

    def _flush(self) -> None:
        if not self._outgoing.pending:
            return
        try:
            super().send(self._outgoing.read())
        except OSError:
            # A record was cut; whatever followed it would be taken for its rest.
            self._may_say_goodbye = False
            raise

    def _send_alert(self) -> None:
        with contextlib.suppress(OSError):
            super().send_now(self._outgoing.read())

    # --- the end ---------------------------------------------------------------------------------

    def begin_close(self) -> bool:
        """Say that nothing more is sent; return False when there is nobody to say it to."""
        self._say_goodbye()
        return super().begin_close()

    def close(self) -> None:
        """Close the connection; the client is told, so that it can tell this from a lost one."""
        self._say_goodbye()
        super().close()

    def _say_goodbye(self) -> None:
        if not self._may_say_goodbye or self._tls is None:
            return
        self._may_say_goodbye = False
        # The client's own goodbye, which would be waited for, may come or not.
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()
        self._send_alert()
