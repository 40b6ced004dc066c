"""The S3 endpoint: route, authenticate, run the operation, answer in S3's own terms."""

import contextlib
import logging

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from replication import services, session
from replication.errors import WriteIndeterminate, WriteRefused
from rs3gw.common import clock, identity
from rs3gw.common.errors import Rs3gwError
from rs3gw.s3 import auth, metrics
from rs3gw.s3.core import names
from rs3gw.s3.core.errors import S3Error, error_xml, status_of
from rs3gw.s3.operations import OPERATIONS, access, cors, pressure
from rs3gw.s3.request import S3Request

logger = logging.getLogger(__name__)
UNKNOWN = "Unknown"
PREFLIGHT = "Preflight"
SESSION_HEADER = "x-rs3gw-after"


def endpoint(request: HttpRequest) -> HttpResponseBase:
    """Answer one S3 request; whatever happens, the answer is S3's."""
    started = clock.monotonic()
    session.begin()
    s3_request = S3Request.of(request)
    operation = UNKNOWN
    response: HttpResponseBase
    try:
        if s3_request.method == "OPTIONS":
            operation = PREFLIGHT
            response = cors.preflight(s3_request)
        else:
            operation = s3_request.operation
            response = _run(s3_request, operation)
    except Rs3gwError as error:
        response = _failure(s3_request, error)
    except OperationalError:
        logger.exception("the database does not answer")
        response = _failure(s3_request, S3Error("ServiceUnavailable", "Retry in a moment."))
    except (ConnectionError, TimeoutError):
        response = _failure(s3_request, S3Error("RequestTimeout", "The body did not arrive."))
        response["Connection"] = "close"
    except Exception:
        logger.exception("request %s failed", s3_request.request_id)
        response = _failure(s3_request, S3Error("InternalError", "We failed. Please try again."))
    _let_scripts_read(s3_request, response)
    written = str(session.token())
    if written:
        response[SESSION_HEADER] = written
    if pressure.LAG_HEADER in s3_request.found:
        response[pressure.LAG_HEADER] = s3_request.found[pressure.LAG_HEADER]
    response["x-amz-request-id"] = s3_request.request_id
    response["x-amz-id-2"] = identity.load().node_id
    metrics.REQUESTS.labels(operation, response.status_code).inc()
    metrics.SECONDS.labels(operation).observe(clock.monotonic() - started)
    return response


def slow_down(request: HttpRequest) -> HttpResponse:
    """Turn a request away unread: more came than can be answered in time."""
    s3_request = S3Request.of(request)
    response = _failure(s3_request, S3Error("SlowDown", "Please reduce your request rate."))
    response["x-amz-request-id"] = s3_request.request_id
    response["x-amz-id-2"] = identity.load().node_id
    return response


def _let_scripts_read(request: S3Request, response: HttpResponseBase) -> None:
    """Add what the bucket's rules say to a script of another origin, to errors too."""
    bucket = request.found.get("bucket")
    if "origin" in request.headers and request.method != "OPTIONS" and bucket is not None:
        with contextlib.suppress(OperationalError):
            cors.decorate(request, response, cors.rules_of(bucket))


def _run(request: S3Request, operation: str) -> HttpResponseBase:
    caller = auth.authenticate(request)
    _catch_up(request)
    access.check(request, caller, operation)
    pressure.heed(request, operation)
    if request.target.key:
        names.check_key(request.target.key)
    return OPERATIONS[operation](request, caller)


def _catch_up(request: S3Request) -> None:
    """Wait for what the client says it has seen; what does not come is asked for key by key.

    Raises:
        S3Error: The header cannot be read, or the request is about more than one key.
    """
    text = request.headers.get(SESSION_HEADER)
    if text is None:
        return
    try:
        is_here = services.wait_for(services.parse_token(text))
    except services.MalformedToken as error:
        raise S3Error("InvalidArgument", f"{SESSION_HEADER}: {error}") from None
    if is_here:
        return
    if not request.target.key:
        raise S3Error(
            "SlowDown", "This node does not have yet what you have seen elsewhere. Retry."
        )
    request.is_behind = True


def _failure(request: S3Request, error: Rs3gwError) -> HttpResponse:
    status = status_of(error)
    response = HttpResponse(status=status, content_type="application/xml")
    if isinstance(error, WriteIndeterminate):
        response["x-rs3gw-write-outcome"] = error.outcome()
    if isinstance(error, WriteRefused):
        response["x-rs3gw-write-outcome"] = "none"
    for name, value in getattr(error, "headers", {}).items():
        response[name] = value
    if status == 503:
        response["Retry-After"] = "1"
    if request.method != "HEAD" and status != 304:
        response.content = error_xml(
            error,
            resource=request.raw_path,
            request_id=request.request_id,
            host_id=identity.load().node_id,
        )
    return response
