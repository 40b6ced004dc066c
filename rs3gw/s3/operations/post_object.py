"""PostObject: what a browser form stores."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.utils.encoding import iri_to_uri

from replication import services
from rs3gw.common import clock
from rs3gw.s3 import auth, encryption
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import receive_file
from rs3gw.s3.core import names, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.forms import boundary_of, read_form
from rs3gw.s3.core.post_policy import PostPolicy, parse_post_policy, with_filename
from rs3gw.s3.operations import access
from rs3gw.s3.operations.answers import empty, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import OBJECT_TAGS_MAX, describe_checksums
from rs3gw.s3.operations.making import new_headers
from rs3gw.s3.operations.versions import describe_version
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.objects import Entry

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,200}")
_REDIRECTS = ("success_action_redirect", "redirect")
# Fields that stand for headers of a PutObject.
_HEADER_FIELDS = frozenset(
    {
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
    }
)
_SIGNING = frozenset(
    {
        "x-amz-algorithm",
        "x-amz-content-sha256",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    }
)


def post_object(request: S3Request, caller: Identity) -> HttpResponse:
    """PostObject. Its caller is whoever signed the form, not the request."""
    bucket = bucket_of(request)
    boundary = boundary_of(request.headers.get("content-type", ""))
    form = read_form(request.environ["wsgi.input"].read, boundary)
    fields = with_filename(form.fields, form.filename)
    if not fields.get("key"):
        raise S3Error(
            "InvalidArgument",
            "Bucket POST must contain a field named 'key'. If it is specified, please check the "
            "order of the fields.",
        )
    if not form.has_file:
        raise S3Error("InvalidArgument", "POST requires exactly one file upload per request.")
    caller = auth.authenticate_form(fields)
    policy = None
    if "policy" in fields:
        policy = parse_post_policy(fields["policy"])
        policy.check(fields, bucket=bucket.name, now=clock.utcnow())
    write = _as_write(request, fields)
    names.check_key(write.target.key)
    access.check_write(write, caller)
    sealing = encryption.begin(write.headers, bucket)
    headers = new_headers(write, caller, bucket, sealing)
    services.preflight(bucket)
    body = receive_file(write, _limited(form.file, policy), key=sealing.data_key)
    entry = services.put_object(bucket=bucket, key=write.target.key, body=body, headers=headers)
    response = _answer(request, fields, entry)
    response["ETag"] = f'"{entry.etag}"'
    response["Location"] = response.get("Location", _location(request, entry))
    describe_version(response, bucket, entry.version_id)
    describe_checksums(response, entry)
    encryption.describe(response, entry.headers.encryption)
    return response


def _as_write(request: S3Request, fields: Mapping[str, str]) -> S3Request:
    """Return the PutObject that a form stands for: the fields are its headers."""
    headers = {
        name: value.encode("utf-8", "replace").decode("latin-1")
        for name, value in fields.items()
        if name in _HEADER_FIELDS or (name.startswith("x-amz-") and name not in _SIGNING)
    }
    for name in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise S3Error("InvalidArgument", f"The field {name!a} cannot be the name of a header.")
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        tags = xml.parse_tagging(fields["tagging"].encode(), tags_max=OBJECT_TAGS_MAX)
        headers["x-amz-tagging"] = urlencode(tags)
    bucket = bucket_of(request)
    path = f"/{bucket.name}/{quote(fields['key'], safe='/')}"
    return S3Request("PUT", path, "", headers, request.environ, {"bucket": bucket})


def _limited(pieces: Iterator[bytes], policy: PostPolicy | None) -> Iterator[bytes]:
    """Pass a file on, and refuse it as soon as its size is out of the policy's range."""
    size_bytes = 0
    for piece in pieces:
        size_bytes += len(piece)
        if policy is not None:
            policy.check_size(size_bytes, is_whole=False)
        yield piece
    if policy is not None:
        policy.check_size(size_bytes)


def _location(request: S3Request, entry: Entry) -> str:
    scheme = request.environ.get("wsgi.url_scheme", "http")
    host = request.headers.get("host", "")
    domain = settings.RS3GW_S3_DOMAIN
    is_virtual = domain and host.partition(":")[0].endswith(f".{domain}")
    path = entry.key if is_virtual else f"{request.target.bucket}/{entry.key}"
    return f"{scheme}://{host}/{quote(path)}"


def _answer(request: S3Request, fields: Mapping[str, str], entry: Entry) -> HttpResponse:
    """Return what the form's author asked its sender's browser to be told."""
    found = {"bucket": request.target.bucket, "key": entry.key, "etag": f'"{entry.etag}"'}
    for name in _REDIRECTS:
        target = _redirect(fields.get(name, ""), found)
        if target:
            response = empty(303)
            response["Location"] = target
            return response
    status = fields.get("success_action_status", "")
    if status == "201":
        response = xml_answer(_post_response(_location(request, entry), found))
        response.status_code = 201
        return response
    return empty(200 if status == "200" else 204)


def _redirect(url: str, found: Mapping[str, str]) -> str:
    """Return where to send the browser, with what was stored as its query; "" for no URL."""
    try:
        target = urlsplit(url)
    except ValueError:
        return ""
    if target.scheme not in ("http", "https") or not target.netloc:
        return ""
    query = "&".join(filter(None, [target.query, urlencode(found)]))
    return iri_to_uri(target._replace(query=query).geturl())


def _post_response(location: str, found: Mapping[str, str]) -> bytes:
    """Return the document of a 201: unlike others of S3, in no namespace."""
    content = xml.tag("Location", location) + "".join(
        xml.tag(name, found[name.lower()]) for name in ("Bucket", "Key", "ETag")
    )
    return f"{xml.HEAD}<PostResponse>{content}</PostResponse>".encode("utf-8", "replace")
