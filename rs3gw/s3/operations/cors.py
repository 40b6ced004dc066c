"""Cross-origin settings of a bucket, and the answers that browsers get because of them."""

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from rs3gw.s3 import bucket_config
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import read_document
from rs3gw.s3.core import cors
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.operations.answers import empty, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.settings import delete, put_json
from rs3gw.s3.request import S3Request, wire_text
from rs3gw.storage import selectors
from rs3gw.storage.models import Bucket

SETTING = "cors"
REQUEST_HEADERS_MAX = 100


def get_cors(request: S3Request, caller: Identity) -> HttpResponse:
    """GetBucketCors."""
    rules = rules_of(bucket_of(request))
    if not rules:
        raise S3Error("NoSuchCORSConfiguration", "The CORS configuration does not exist")
    return xml_answer(cors.cors_xml(rules))


def put_cors(request: S3Request, caller: Identity) -> HttpResponse:
    """PutBucketCors."""
    bucket_of(request)
    rules = cors.parse_cors(read_document(request, caller))
    return put_json(request, caller, SETTING, cors.to_json(rules))


def delete_cors(request: S3Request, caller: Identity) -> HttpResponse:
    """DeleteBucketCors."""
    return delete(request, caller, SETTING)


def rules_of(bucket: Bucket) -> tuple[cors.CorsRule, ...]:
    """Return a bucket's rules, none when it has no setting."""
    return bucket_config.of(bucket).cors


def preflight(request: S3Request) -> HttpResponse:
    """Answer a browser that asks, with OPTIONS and unsigned, whether it may send a request.

    Raises:
        S3Error: BadRequest: the question is not complete. AccessForbidden: the answer is no.
    """
    origin = request.headers.get("origin", "")
    if not origin:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    bucket = selectors.find_bucket(request.target.bucket)
    if bucket is None:
        raise S3Error("AccessForbidden", "CORSResponse: Bucket not found")
    method = request.headers.get("access-control-request-method", "")
    if not method:
        raise S3Error("BadRequest", "Invalid Access-Control-Request-Method: it must be given.")
    rules = rules_of(bucket)
    if not rules:
        raise S3Error("AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.")
    answer = _answer(request, rules, method=method, names=_asked(request))
    if answer is None:
        raise S3Error(
            "AccessForbidden",
            "CORSResponse: This CORS request is not allowed. No rule of the bucket's CORS "
            "configuration matches its Origin, Access-Control-Request-Method and "
            "Access-Control-Request-Headers.",
        )
    response = empty()
    _set(response, answer)
    return response


def decorate(
    request: S3Request, response: HttpResponseBase, rules: tuple[cors.CorsRule, ...]
) -> None:
    """Add what a matching rule says to any answer, an error included.

    Without an Origin header, or when no rule matches, the answer stays as it is: the browser
    then keeps it from the script.
    """
    headers = request.headers
    if "origin" not in headers:
        return
    method = headers.get("access-control-request-method") or request.method
    answer = _answer(request, rules, method=method, names=())
    if answer is not None:
        _set(response, answer)


def _asked(request: S3Request) -> tuple[str, ...]:
    names = request.headers.get("access-control-request-headers", "").split(",")
    if len(names) > REQUEST_HEADERS_MAX:
        raise S3Error("BadRequest", f"Ask for at most {REQUEST_HEADERS_MAX} headers.")
    return tuple(names)


def _answer(
    request: S3Request, rules: tuple[cors.CorsRule, ...], *, method: str, names: tuple[str, ...]
) -> cors.CorsAnswer | None:
    origin = wire_text(request.headers.get("origin", ""))
    return cors.match(rules, origin=origin, method=method, request_headers=names)


def _set(response: HttpResponseBase, answer: cors.CorsAnswer) -> None:
    for name, value in answer.to_headers().items():
        # Text goes out as the bytes that came in.
        response[name] = value.encode("utf-8", "surrogateescape").decode("latin-1")
