"""Names below localhost are loopback (RFC 6761); not every system's resolver knows it."""

import socket

_getaddrinfo = socket.getaddrinfo


def _with_names(host, *rest, **options):
    name = host.decode() if isinstance(host, bytes) else host
    return _getaddrinfo(
        "127.0.0.1" if name and name.endswith(".localhost") else host, *rest, **options
    )


def install():
    """Resolve these names in this process."""
    socket.getaddrinfo = _with_names
