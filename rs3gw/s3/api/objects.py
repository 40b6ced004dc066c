"""Objects by REST, as a browser in the admin needs them: versions, bytes, tags, links."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from replication import services
from replication.placement import holder_ids
from rs3gw.common import clock
from rs3gw.s3 import bucket_config
from rs3gw.s3.api import serializers
from rs3gw.s3.core import locks, xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.presign import Signer, presigned_url
from rs3gw.s3.core.ranges import parse_range
from rs3gw.s3.encryption import CUSTOMER_KIND, begin
from rs3gw.s3.models import AccessKey
from rs3gw.s3.services import secret_of
from rs3gw.storage import blobs, selectors
from rs3gw.storage.core.attributes import TAGGING
from rs3gw.storage.core.objects import DEFAULT_CONTENT_TYPE, Entry, ObjectHeaders
from rs3gw.storage.errors import NoSuchKey
from rs3gw.storage.models import Bucket

READ_BYTES = 256 * 1024
OBJECT_TAGS_MAX = 10
HOLDERS_OF_PARTS_MAX = 100
_NOT_TOKEN = re.compile(r"[^A-Za-z0-9._ -]")
KEY = OpenApiParameter("key", OpenApiTypes.STR, required=True, description="Key of the object.")
VERSION = OpenApiParameter("version_id", OpenApiTypes.STR, description="The newest, left out.")


class _AsItCame(BaseParser):  # type: ignore[misc, unused-ignore]
    """Leaves the body on the connection: it may be larger than memory."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Return the body, unread."""
        return stream


def _address(request: Request, name: str) -> tuple[Bucket, str, str | None]:
    """Return bucket, key and version id of a request."""
    query = serializers.VersionAddressSerializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    wanted = query.validated_data
    return selectors.get_bucket(name), wanted["key"], wanted.get("version_id")


def _found(bucket: Bucket, key: str, version_id: str | None) -> Entry:
    entry = selectors.find_version(bucket, key, version_id)
    if entry is None:
        raise NoSuchKey if version_id is None else S3Error("NoSuchVersion", "No such version.")
    return entry


def _listed(entry: Entry, bucket: Bucket) -> dict[str, object]:
    return {
        "key": entry.key,
        "version_id": entry.version_id,
        "is_latest": entry.is_latest,
        "is_delete_marker": entry.is_delete_marker,
        "size_bytes": entry.size_bytes,
        "etag": entry.etag,
        "last_modified": entry.last_modified,
        "owner": entry.headers.owner or bucket.owner,
        "storage_class": entry.headers.storage_class,
        "origin_node": entry.origin_node,
    }


def _detail(entry: Entry, bucket: Bucket) -> dict[str, object]:
    headers = entry.headers
    shown = {k: v for k, v in headers.to_json().items() if isinstance(v, str)}
    bodies = entry.bodies()[:HOLDERS_OF_PARTS_MAX]
    return _listed(entry, bucket) | {
        "content_type": headers.content_type,
        "headers": {k: v for k, v in shown.items() if k not in ("owner", "storage_class")},
        "metadata": dict(headers.metadata),
        "tags": dict(headers.tags),
        "checksums": dict(entry.checksums),
        "lock": {k: str(v) for k, v in headers.lock.items() if k != "floor"},
        "parts": [
            {"number": part.number, "size_bytes": part.size_bytes, "etag": part.etag}
            for part in entry.parts
        ],
        "holders": sorted({node for sha256, _ in bodies for node in holder_ids(sha256)}),
    }


class VersionsView(APIView):
    """All versions and delete markers of a bucket."""

    @extend_schema(
        operation_id="buckets_versions_list",
        parameters=[serializers.VersionsQuerySerializer],
        responses=serializers.VersionPageSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        """List versions, newest first within a key."""
        query = serializers.VersionsQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        wanted = dict(query.validated_data)
        bucket = selectors.get_bucket(name)
        page = selectors.list_versions(bucket=bucket, max_keys=wanted.pop("limit"), **wanted)
        return Response(
            {
                "versions": [_listed(entry, bucket) for entry in page.entries],
                "common_prefixes": page.common_prefixes,
                "is_truncated": page.is_truncated,
                "next_key_marker": page.next_key_marker if page.is_truncated else "",
                "next_version_marker": page.next_version_marker if page.is_truncated else "",
            }
        )


class ObjectView(APIView):
    """One version of an object."""

    @extend_schema(
        operation_id="buckets_object_retrieve",
        parameters=[KEY, VERSION],
        responses=serializers.ObjectDetailSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        """Return everything that is known of a version but its bytes."""
        bucket, key, version_id = _address(request, name)
        return Response(_detail(_found(bucket, key, version_id), bucket))

    @extend_schema(
        operation_id="buckets_object_destroy", parameters=[KEY, VERSION], responses={204: None}
    )
    def delete(self, request: Request, name: str) -> Response:
        """Delete a version, or the key as S3 does: by a marker where the bucket has versions."""
        bucket, key, version_id = _address(request, name)
        now = clock.utcnow()

        def check(current: Entry | None) -> None:
            if version_id is not None and current is not None:
                locks.check_delete(current.headers.lock, now, bypasses=False)

        services.preflight(bucket)
        services.delete_object(bucket=bucket, key=key, version_id=version_id, condition=check)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ContentView(APIView):
    """The bytes of an object."""

    parser_classes = (_AsItCame,)

    @extend_schema(
        operation_id="buckets_object_content_retrieve",
        parameters=[KEY, VERSION],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, name: str) -> HttpResponseBase:
        """Download an object, whole or a range of it."""
        bucket, key, version_id = _address(request, name)
        entry = _found(bucket, key, version_id)
        if entry.is_delete_marker:
            raise S3Error("MethodNotAllowed", "A delete marker has no bytes.")
        header = request.headers.get("Range")
        if entry.headers.encryption.get("alg") == CUSTOMER_KIND:
            raise S3Error("InvalidRequest", "Only who has the key of this object can read it.")
        span = None if header is None else parse_range(header, entry.size_bytes)
        start, length = span or (0, entry.size_bytes)
        response = StreamingHttpResponse(services.open_body(entry, start, length))
        response["Content-Length"] = str(length)
        response["Content-Type"] = "application/octet-stream"
        response["Content-Disposition"] = _attachment(key)
        response["ETag"] = f'"{entry.etag}"'
        # An uploaded page must not run as one of ours.
        response["Content-Security-Policy"] = "sandbox; default-src 'none'"
        response["X-Content-Type-Options"] = "nosniff"
        if span is not None:
            response.status_code = status.HTTP_206_PARTIAL_CONTENT
            last = start + length - 1
            response["Content-Range"] = f"bytes {start}-{last}/{entry.size_bytes}"
        return response

    @extend_schema(
        operation_id="buckets_object_content_update",
        parameters=[KEY],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: serializers.ObjectDetailSerializer},
    )
    def put(self, request: Request, name: str) -> Response:
        """Upload an object: the request's body as it is."""
        bucket, key, _ = _address(request, name)
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal():
            raise S3Error("MissingContentLength", "Send the body with its Content-Length.")
        if int(length) > settings.RS3GW_OBJECT_SIZE_MAX_BYTES:
            raise S3Error("EntityTooLarge", "The body exceeds the largest size of one upload.")
        sealing = begin({}, bucket)
        is_new = request.headers.get("If-None-Match") == "*"
        headers = ObjectHeaders(
            content_type=request.headers.get("Content-Type", "") or DEFAULT_CONTENT_TYPE,
            owner=bucket.owner,
            lock=_default_lock(bucket),
            encryption=sealing.description,
        )
        services.preflight(bucket)
        body = blobs.stage(_chunks(request, int(length)), key=sealing.data_key)
        entry = services.put_object(
            bucket=bucket,
            key=key,
            body=body,
            headers=headers,
            condition=_refuse_existing if is_new else None,
        )
        return Response(_detail(entry, bucket), status=status.HTTP_201_CREATED)


def _refuse_existing(current: Entry | None) -> None:
    if current is not None:
        raise S3Error("PreconditionFailed", "There is an object of this key already.")


def _default_lock(bucket: Bucket) -> dict[str, str]:
    configuration = bucket_config.of(bucket).lock
    if configuration is None or configuration.default is None:
        return {}
    default = configuration.default
    return {"mode": default.mode, "until": locks.date_text(default.until(clock.utcnow()))}


def _chunks(request: Request, length: int) -> Iterator[bytes]:
    received = 0
    stream: Any = request._request
    while chunk := stream.read(READ_BYTES):
        received += len(chunk)
        yield chunk
    if received != length:
        raise S3Error("IncompleteBody", "The body is shorter than its Content-Length.")


def _attachment(key: str) -> str:
    """Return a Content-Disposition that every browser saves under the key's last piece."""
    name = key.rpartition("/")[2] or "download"
    plain = _NOT_TOKEN.sub("_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


class TagsView(APIView):
    """The tags of a version."""

    @extend_schema(
        operation_id="buckets_object_tags_retrieve",
        parameters=[KEY, VERSION],
        responses=serializers.TagsSerializer,
    )
    def get(self, request: Request, name: str) -> Response:
        """Return the tags of a version."""
        bucket, key, version_id = _address(request, name)
        return Response({"tags": dict(_found(bucket, key, version_id).headers.tags)})

    @extend_schema(
        operation_id="buckets_object_tags_update",
        parameters=[KEY, VERSION],
        request=serializers.TagsSerializer,
        responses=serializers.TagsSerializer,
    )
    def put(self, request: Request, name: str) -> Response:
        """Replace the tags of a version."""
        bucket, key, version_id = _address(request, name)
        form = serializers.TagsSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        tags = xml.check_tags(form.validated_data["tags"].items(), tags_max=OBJECT_TAGS_MAX)
        services.preflight(bucket)
        services.set_attribute(
            bucket=bucket, key=key, version_id=version_id, name=TAGGING, value=lambda _: tags
        )
        return Response({"tags": tags})


class PresignView(APIView):
    """Links that carry their own signature."""

    @extend_schema(
        operation_id="buckets_presign",
        request=serializers.PresignSerializer,
        responses=serializers.PresignedSerializer,
    )
    def post(self, request: Request, name: str) -> Response:
        """Make a link to download, upload or delete an object on the S3 port."""
        form = serializers.PresignSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data
        bucket = selectors.get_bucket(name)
        names = {
            "version_id": "versionId",
            "upload_id": "uploadId",
            "part_number": "partNumber",
            "response_content_disposition": "response-content-disposition",
        }
        now = clock.utcnow()
        url = presigned_url(
            signer=_signer(request, bucket, wanted.get("access_key_id")),
            method=wanted["method"],
            path=f"/{bucket.name}/{wanted['key']}",
            amz_date=now.strftime("%Y%m%dT%H%M%SZ"),
            expires_seconds=wanted["expires_seconds"],
            query={names[field]: str(wanted[field]) for field in names if field in wanted},
        )
        expires_at = now + timedelta(seconds=wanted["expires_seconds"])
        return Response({"url": url, "expires_at": expires_at})


def _signer(request: Request, bucket: Bucket, access_key_id: str | None) -> Signer:
    keys = AccessKey.objects.filter(is_enabled=True)
    if access_key_id is None:
        key = keys.filter(owner=bucket.owner).order_by("created_at").first()
    else:
        key = keys.filter(access_key_id=access_key_id).first()
    if key is None:
        raise S3Error(
            "InvalidArgument",
            f"Name an enabled access key, or make one for {bucket.owner}, who owns the bucket.",
        )
    endpoint = settings.RS3GW_PUBLIC_URL.rstrip("/") or request.build_absolute_uri("/")[:-1]
    return Signer(key.access_key_id, secret_of(key), settings.RS3GW_REGION, endpoint)
