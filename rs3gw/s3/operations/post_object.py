"""PostObject: what a browser form stores."""

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlencode, urlsplit

from django.http import HttpResponse

from replication import services
from rs3gw.common import clock
from rs3gw.s3 import auth, encryption
from rs3gw.s3.auth import Identity
from rs3gw.s3.body import receive_file
from rs3gw.s3.core import names, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.forms import Form, boundary_of, read_form
from rs3gw.s3.core.post_policy import PostPolicy, parse_post_policy
from rs3gw.s3.operations import access
from rs3gw.s3.operations.answers import empty, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.headers import OBJECT_TAGS_MAX, describe_checksums
from rs3gw.s3.operations.making import new_headers
from rs3gw.s3.operations.versions import describe_version
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.objects import Entry

_FILENAME = "${filename}"
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
    fields = form.fields
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
    write = _as_write(request, form)
    names.check_key(write.target.key)
    access.check_write(write, caller)
    sealing = encryption.begin(write.headers, bucket)
    headers = new_headers(write, caller, bucket, sealing)
    services.preflight()
    body = receive_file(write, _limited(form.file, policy), key=sealing.data_key)
    entry = services.put_object(bucket=bucket, key=write.target.key, body=body, headers=headers)
    response = _answer(request, fields, entry)
    response["ETag"] = f'"{entry.etag}"'
    response["Location"] = response.get("Location", _location(request, entry))
    describe_version(response, bucket, entry.version_id)
    describe_checksums(response, entry)
    encryption.describe(response, entry.headers.encryption)
    return response


def _as_write(request: S3Request, form: Form) -> S3Request:
    """Return the PutObject that a form stands for: the fields are its headers."""
    fields = form.fields
    key = fields["key"].replace(_FILENAME, form.filename)
    headers = {
        name: value.encode("utf-8", "replace").decode("latin-1")
        for name, value in fields.items()
        if name in _HEADER_FIELDS or (name.startswith("x-amz-") and name not in _SIGNING)
    }
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        tags = xml.parse_tagging(fields["tagging"].encode(), tags_max=OBJECT_TAGS_MAX)
        headers["x-amz-tagging"] = urlencode(tags)
    if not headers.get("content-type") and form.content_type:
        headers["content-type"] = form.content_type
    bucket = bucket_of(request)
    path = f"/{bucket.name}/{quote(key, safe='/')}"
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
    return f"{scheme}://{host}/{request.target.bucket}/{quote(entry.key)}"


def _answer(request: S3Request, fields: Mapping[str, str], entry: Entry) -> HttpResponse:
    """Return what the form's author asked its sender's browser to be told."""
    for name in _REDIRECTS:
        target = urlsplit(fields.get(name, ""))
        if target.scheme in ("http", "https") and target.netloc:
            found = {
                "bucket": request.target.bucket,
                "key": entry.key,
                "etag": f'"{entry.etag}"',
            }
            query = "&".join(filter(None, [target.query, urlencode(found)]))
            response = empty(303)
            response["Location"] = target._replace(query=query).geturl()
            return response
    status = fields.get("success_action_status", "")
    if status == "201":
        response = xml_answer(
            xml.document(
                "PostResponse",
                xml.tag("Location", _location(request, entry)),
                xml.tag("Bucket", request.target.bucket),
                xml.tag("Key", entry.key),
                xml.tag("ETag", f'"{entry.etag}"'),
            )
        )
        response.status_code = 201
        return response
    return empty(200 if status == "200" else 204)
