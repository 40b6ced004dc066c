"""Lists of buckets, keys and versions."""

import base64
from collections.abc import Iterable

from django.http import HttpResponse

from rs3gw.s3.auth import Identity
from rs3gw.s3.core import xml
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.lifecycle import labelled
from rs3gw.s3.operations.answers import iso, owner_xml, xml_answer
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.request import S3Request
from rs3gw.storage import selectors
from rs3gw.storage.core.objects import Entry

KEYS_MAX = 1000


def list_buckets(request: S3Request, caller: Identity) -> HttpResponse:
    """ListBuckets, with prefix and continuation."""
    prefix = request.query.get("prefix", "")
    limit = number(request, "max-buckets", 10_000, 10_000)
    after = _untoken(request.query.get("continuation-token", ""))
    found = [
        bucket
        for bucket in selectors.list_buckets(caller.owner)
        if bucket.name.startswith(prefix) and bucket.name > after
    ]
    shown = found[:limit]
    items = "".join(
        f"<Bucket>{xml.tag('Name', b.name)}{xml.tag('CreationDate', iso(b.created_at))}"
        f"{xml.tag('BucketRegion', b.region)}</Bucket>"
        for b in shown
    )
    more = xml.tag("ContinuationToken", _token(shown[-1].name)) if len(found) > limit else ""
    given = xml.tag("Prefix", prefix) if prefix else ""
    body = xml.document(
        "ListAllMyBucketsResult",
        owner_xml(caller.owner),
        f"<Buckets>{items}</Buckets>",
        more,
        given,
    )
    return xml_answer(body)


def number(request: S3Request, name: str, default: int, maximum: int) -> int:
    """Return a whole number of the query, cut to `maximum`.

    Raises:
        S3Error: InvalidArgument.
    """
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) >= 2**31:
        raise S3Error("InvalidArgument", f"Provided {name} not an integer or within range")
    return min(int(text), maximum)


def encoding_of(request: S3Request) -> str:
    """Return the encoding of keys that the client asked for.

    Raises:
        S3Error: InvalidArgument.
    """
    encoding = request.query.get("encoding-type", "")
    if encoding not in ("", "url"):
        raise S3Error("InvalidArgument", "Invalid Encoding Method specified in Request")
    return encoding


def _token(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _untoken(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect") from None


def list_objects(request: S3Request, caller: Identity) -> HttpResponse:
    """ListObjects, version 1 or 2."""
    bucket = bucket_of(request)
    query = request.query
    version = query.get("list-type", "1")
    if version not in ("1", "2"):
        raise S3Error("InvalidArgument", "list-type must be 2")
    is_v2 = version == "2"
    encoding = encoding_of(request)
    limit = number(request, "max-keys", KEYS_MAX, KEYS_MAX)
    if is_v2 and "continuation-token" in query and not query["continuation-token"]:
        raise S3Error("InvalidArgument", "The continuation token provided is incorrect")
    token = _untoken(query.get("continuation-token", "")) if is_v2 else ""
    after = (token or query.get("start-after", "")) if is_v2 else query.get("marker", "")
    page = selectors.list_keys(
        bucket=bucket,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        start_after=after,
        max_keys=limit,
    )
    with_owner = not is_v2 or query.get("fetch-owner", "").lower() == "true"
    contents = "".join(
        _contents(entry, encoding, bucket.owner if with_owner else "")
        for entry in labelled(bucket, page.entries)
    )
    head = _head_v2 if is_v2 else _head_v1
    body = xml.document(
        "ListBucketResult",
        xml.tag("Name", bucket.name),
        f"<Prefix>{xml.key_text(query.get('prefix', ''), encoding)}</Prefix>",
        head(request, page, encoding),
        xml.tag("MaxKeys", limit),
        _given(request, "delimiter", "Delimiter", encoding),
        xml.tag("EncodingType", encoding) if encoding else "",
        xml.tag("IsTruncated", str(page.is_truncated).lower()),
        contents,
        _groups(page.common_prefixes, encoding),
    )
    return xml_answer(body)


def _given(request: S3Request, parameter: str, element: str, encoding: str) -> str:
    value = request.query.get(parameter)
    return f"<{element}>{xml.key_text(value, encoding)}</{element}>" if value else ""


def _head_v1(request: S3Request, page: selectors.ListPage, encoding: str) -> str:
    marker = xml.key_text(request.query.get("marker", ""), encoding)
    head = f"<Marker>{marker}</Marker>"
    if page.is_truncated and request.query.get("delimiter"):
        head += f"<NextMarker>{xml.key_text(page.next_start_after, encoding)}</NextMarker>"
    return head


def _head_v2(request: S3Request, page: selectors.ListPage, encoding: str) -> str:
    head = xml.tag("KeyCount", len(page.entries) + len(page.common_prefixes))
    head += _given(request, "start-after", "StartAfter", encoding)
    token = request.query.get("continuation-token")
    head += xml.tag("ContinuationToken", token) if token else ""
    if page.is_truncated:
        head += xml.tag("NextContinuationToken", _token(page.next_start_after))
    return head


def _contents(entry: Entry, encoding: str, bucket_owner: str) -> str:
    """Return one object; with its owner where `bucket_owner` is given."""
    owner = owner_xml(entry.headers.owner or bucket_owner) if bucket_owner else ""
    return (
        f"<Contents><Key>{xml.key_text(entry.key, encoding)}</Key>"
        f"<LastModified>{iso(entry.last_modified)}</LastModified>"
        f"<ETag>&quot;{entry.etag}&quot;</ETag>{_checksum(entry)}"
        f"<Size>{entry.size_bytes}</Size>{owner}"
        f"<StorageClass>{xml.text(entry.headers.storage_class)}</StorageClass></Contents>"
    )


def _checksum(entry: Entry) -> str:
    if not entry.checksums:
        return ""
    names = "".join(xml.tag("ChecksumAlgorithm", name.upper()) for name in entry.checksums)
    return names + xml.tag("ChecksumType", entry.checksum_type)


def list_versions(request: S3Request, caller: Identity) -> HttpResponse:
    """ListObjectVersions: all versions and delete markers, newest first within a key."""
    bucket = bucket_of(request)
    query = request.query
    encoding = encoding_of(request)
    limit = number(request, "max-keys", KEYS_MAX, KEYS_MAX)
    key_marker, version_marker = query.get("key-marker", ""), query.get("version-id-marker", "")
    if version_marker and not key_marker:
        raise S3Error(
            "InvalidArgument", "A version-id marker cannot be specified without a key marker."
        )
    page = selectors.list_versions(
        bucket=bucket,
        prefix=query.get("prefix", ""),
        delimiter=query.get("delimiter", ""),
        key_marker=key_marker,
        version_marker=version_marker,
        max_keys=limit,
    )
    more = ""
    if page.is_truncated:
        marker = xml.key_text(page.next_key_marker, encoding)
        more = f"<NextKeyMarker>{marker}</NextKeyMarker>"
        more += xml.tag("NextVersionIdMarker", page.next_version_marker)
    body = xml.document(
        "ListVersionsResult",
        xml.tag("Name", bucket.name),
        f"<Prefix>{xml.key_text(query.get('prefix', ''), encoding)}</Prefix>",
        f"<KeyMarker>{xml.key_text(key_marker, encoding)}</KeyMarker>",
        xml.tag("VersionIdMarker", version_marker),
        more,
        xml.tag("MaxKeys", limit),
        _given(request, "delimiter", "Delimiter", encoding),
        xml.tag("EncodingType", encoding) if encoding else "",
        xml.tag("IsTruncated", str(page.is_truncated).lower()),
        *(_version(entry, encoding, bucket.owner) for entry in labelled(bucket, page.entries)),
        _groups(page.common_prefixes, encoding),
    )
    return xml_answer(body)


def _groups(prefixes: Iterable[str], encoding: str) -> str:
    return "".join(
        f"<CommonPrefixes><Prefix>{xml.key_text(group, encoding)}</Prefix></CommonPrefixes>"
        for group in prefixes
    )


def _version(entry: Entry, encoding: str, bucket_owner: str) -> str:
    element = "DeleteMarker" if entry.is_delete_marker else "Version"
    bytes_ = ""
    if not entry.is_delete_marker:
        bytes_ = (
            f"<ETag>&quot;{entry.etag}&quot;</ETag>{_checksum(entry)}"
            f"<Size>{entry.size_bytes}</Size>"
            f"<StorageClass>{xml.text(entry.headers.storage_class)}</StorageClass>"
        )
    return (
        f"<{element}><Key>{xml.key_text(entry.key, encoding)}</Key>"
        f"{xml.tag('VersionId', entry.version_id)}"
        f"<IsLatest>{str(entry.is_latest).lower()}</IsLatest>"
        f"<LastModified>{iso(entry.last_modified)}</LastModified>"
        f"{bytes_}{owner_xml(entry.headers.owner or bucket_owner)}</{element}>"
    )
