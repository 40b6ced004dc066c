"""What answers on each port: two handlers of one Django project, chosen by path.

The control plane runs through the full middleware chain. S3 and peer requests run through a
handler without any: they have their own authentication, and each middleware costs as much as a
whole small request.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http.response import HttpResponseBase
from django.urls import set_urlconf
from django.utils.module_loading import import_string

from rs3gw.common.database import release_connections
from rs3gw.server.admission import Admission, AdmissionConfig
from rs3gw.server.protocol import Request, WsgiApp

CONTROL_PREFIXES = ("/admin", "/api", "/metrics", "/healthz", "/static")
PEER_PREFIX = "/_cluster/"
WAIT_SECONDS_MAX = 5.0
View = Callable[..., HttpResponseBase]


class LeanHandler(WSGIHandler):
    """A WSGI handler without middleware, signals or URL resolution: one view answers all."""

    def __init__(self, view_path: str) -> None:
        BaseHandler.__init__(self)
        self._view: View = import_string(view_path)

    def __call__(  # type: ignore[override]
        self, environ: dict[str, Any], start_response: Any
    ) -> Iterable[bytes]:
        """Answer one request."""
        try:
            response = self._view(WSGIRequest(environ))
        except BaseException:
            release_connections()
            raise
        answer = _Answer(response)
        try:
            is_sized = response.streaming or "Content-Length" in response
            if not is_sized and response.status_code not in (204, 304):
                response.headers["Content-Length"] = str(len(response.content))  # type: ignore[attr-defined]
            status = f"{response.status_code} {response.reason_phrase}"
            start_response(status, list(response.items()))
        except BaseException:
            answer.close()
            raise
        return answer


class _Answer:
    """A response's chunks; closing it gives the database connection back.

    A `FileResponse`-like view gives its file as `response.file_to_stream`; when that is a part of
    a file (`environ["rs3gw.file_slice"]`), the kernel sends it.
    """

    def __init__(self, response: HttpResponseBase) -> None:
        self._response = response
        self.file_slice = getattr(response, "file_to_stream", None)

    def __iter__(self) -> Any:
        return iter(self._response)

    def close(self) -> None:
        """End the response."""
        try:
            for closer in self._response._resource_closers:  # type: ignore[attr-defined]
                closer()
        finally:
            release_connections()


def _is_control(path: str) -> bool:
    return any(path == prefix or path.startswith(prefix + "/") for prefix in CONTROL_PREFIXES)


def _is_signed(environ: dict[str, Any]) -> bool:
    """Return whether an S3 client asks, who must hear in S3's terms that such a name is kept."""
    authorization: str = environ.get("HTTP_AUTHORIZATION", "")
    return authorization.startswith("AWS4-HMAC-SHA256")


def s3_port_app() -> WsgiApp:
    """Return what answers on the S3 port."""
    control = import_string("rs3gw.wsgi.application")
    endpoint = LeanHandler("rs3gw.s3.views.endpoint")

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if _is_control(environ["PATH_INFO"]) and not _is_signed(environ):
            set_urlconf(None)
            chunks: Iterable[bytes] = control(environ, start_response)
            return chunks
        return endpoint(environ, start_response)

    return app


def is_s3_request(request: Request) -> bool:
    """Return whether a request on the S3 port is S3's; the control plane is never turned away."""
    path = unquote_to_bytes(request.target.partition(b"?")[0]).decode("latin-1")
    return not _is_control(path) or any(
        name.lower() == b"authorization" and value.strip().startswith(b"AWS4-HMAC-SHA256")
        for name, value in request.headers
    )


def s3_admission(*, running_max: int, waiting_max: int) -> Admission:
    """Return what limits the S3 requests of this process, and count them."""
    from rs3gw.s3 import metrics

    admission = Admission(
        AdmissionConfig(
            running_max=running_max,
            waiting_max=waiting_max,
            wait_seconds=WAIT_SECONDS_MAX,
            is_limited=is_s3_request,
            shed_app=LeanHandler("rs3gw.s3.views.slow_down"),
            on_shed=lambda reason: metrics.SHED.labels(reason).inc(),
        )
    )
    metrics.IN_FLIGHT.set_function(lambda: admission.running_count)
    metrics.WAITING.set_function(lambda: admission.waiting_count)
    return admission


def cluster_port_app() -> WsgiApp:
    """Return what answers on the cluster port."""
    return LeanHandler("rs3gw.server.app.peer_view")


def peer_view(request: WSGIRequest) -> HttpResponseBase:
    """Answer a request of another node; anything else is not found."""
    from django.http import HttpResponseNotFound
    from django.urls import Resolver404, resolve

    try:
        match = resolve(request.path_info, urlconf="rs3gw.peer_urls")
    except Resolver404:
        return HttpResponseNotFound(b"")
    response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
    return response
