"""Lists of the uploads in parts that are under way, as far as this node knows them."""

from collections.abc import Collection

from django.db.models import Q, QuerySet

from rs3gw.common import clock
from rs3gw.storage.core import listing
from rs3gw.storage.core.uploads import ListedUpload, UploadQuery
from rs3gw.storage.models import Bucket, MultipartUpload, UploadState

LISTING_BATCH_ROWS = 1000


def list_uploads(
    bucket: Bucket, query: UploadQuery, *, homes_elsewhere: Collection[str] = ()
) -> tuple[list[ListedUpload], list[str]]:
    """Return the first uploads under way, and groups of keys, of a bucket.

    A walk on the index: a group is left by seeking past it.

    Args:
        bucket: The bucket to list.
        query: Which of them, and how many.
        homes_elsewhere: Nodes that list their own uploads themselves.
    """
    page: listing.Page[ListedUpload] = listing.Page(keys_max=query.limit)
    uploads = MultipartUpload.objects.filter(bucket=bucket, state=UploadState.OPEN)
    uploads = uploads.exclude(home__in=list(homes_elsewhere))
    end = listing.successor(query.prefix) if query.prefix else None
    if end is not None:
        uploads = uploads.filter(key__lt=end)
    place: Q | None = _first_place(query)
    while place is not None and query.limit:
        place = _fill(page, uploads.filter(place), query)
    return page.entries, page.common_prefixes


def _first_place(query: UploadQuery) -> Q:
    prefix, marker = query.prefix, query.key_marker
    group = listing.common_prefix(marker, prefix, query.delimiter) if marker else None
    behind = listing.successor(group) if group and marker.startswith(prefix) else None
    if behind is not None:
        return Q(key__gte=behind)
    if marker < prefix or not marker:
        return Q(key__gte=prefix)
    if query.id_marker:
        return Q(key__gt=marker) | Q(key=marker, upload_id__gt=query.id_marker)
    return Q(key__gt=marker)


def _fill(
    page: listing.Page[ListedUpload], uploads: "QuerySet[MultipartUpload]", query: UploadQuery
) -> Q | None:
    """Add a batch to a page; return where the next batch begins, None when the page is done."""
    batch = list(uploads.order_by("key", "upload_id")[:LISTING_BATCH_ROWS])
    for upload in batch:
        group = listing.common_prefix(upload.key, query.prefix, query.delimiter)
        if group is not None:
            behind = listing.successor(group)
            return Q(key__gte=behind) if page.add_group(group) and behind is not None else None
        if not page.add_entry(upload.key, _listed(upload)):
            return None
    if len(batch) < LISTING_BATCH_ROWS:
        return None
    last = batch[-1]
    return Q(key__gt=last.key) | Q(key=last.key, upload_id__gt=last.upload_id)


def _listed(upload: MultipartUpload) -> ListedUpload:
    return ListedUpload(
        key=upload.key,
        upload_id=upload.upload_id,
        owner=upload.owner,
        initiated_ms=clock.to_ms(upload.initiated_at),
        storage_class=upload.headers.get("storage_class", "STANDARD"),
        checksum_algorithm=upload.checksum_algorithm,
        checksum_type=upload.checksum_type,
    )
