"""An S3 request as its operation sees it: names decoded once, headers as sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest

from rs3gw.common import ids
from rs3gw.s3.core import routes, sigv4

# The server's name for headers with an underscore, which the environment of WSGI cannot tell from
# those with a hyphen. Names of metadata are the client's own, and may hold one.
UNDERSCORED = "rs3gw.underscored_headers"
META_PREFIX = "x-amz-meta-"
_PATH_SAFE = "/!$&'()*+,;=:@-_.~"


@dataclass
class S3Request:
    """One request.

    Attributes:
        method: Upper case.
        raw_path: Path as sent, without the query.
        raw_query: Query as sent.
        headers: Values by lower-case name; each character is one byte of the wire.
        environ: The WSGI environment; its input is the body.
        found: What operations have looked up for this request already.
        is_behind: The client has seen changes that this node has not applied yet.
        request_id: Random text that names the request in the answer and the log.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    environ: Mapping[str, Any]
    found: dict[object, Any] = field(default_factory=dict)
    is_behind: bool = False
    request_id: str = field(default_factory=lambda: ids.uuid7().replace("-", "").upper()[:16])

    @classmethod
    def of(cls, request: HttpRequest) -> "S3Request":
        """Return the S3 view of a Django request."""
        environ: Mapping[str, Any] = request.META
        raw = environ.get("RAW_URI")
        if raw is None:
            path = environ.get("PATH_INFO", "/").encode("latin-1")
            raw = quote(path, safe=_PATH_SAFE) + "?" + environ.get("QUERY_STRING", "")
        path, _, query = raw.partition("?")
        if not path.startswith("/"):
            path = "/" + path.partition("://")[2].partition("/")[2]
        return cls(request.method or "GET", path or "/", query, _headers(environ), environ)

    @cached_property
    def query_pairs(self) -> Sequence[tuple[str, str]]:
        """Decoded query parameters, in order."""
        return sigv4.parse_query(self.raw_query)

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Decoded query parameters by name; the last one of a name counts."""
        return dict(self.query_pairs)

    @cached_property
    def target(self) -> routes.Target:
        """Bucket and key."""
        host = self.headers.get("host", "")
        return routes.target_of(self.raw_path, host, settings.RS3GW_S3_DOMAIN)

    @cached_property
    def operation(self) -> str:
        """Name of the operation that is asked for."""
        return routes.operation_of(
            self.method, self.target, self.query, is_copy="x-amz-copy-source" in self.headers
        )

    @cached_property
    def signable_headers(self) -> Mapping[str, str]:
        """Headers as they were signed: bytes on the wire are UTF-8 to the signer."""
        return {name: wire_text(value) for name, value in self.headers.items()}


def wire_text(value: str) -> str:
    """Return a header value, given as one character a byte, as the UTF-8 that it is."""
    if value.isascii():
        return value
    return value.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    for name, value in environ.get(UNDERSCORED, {}).items():
        if name.startswith(META_PREFIX):
            headers[name] = value
    return headers
