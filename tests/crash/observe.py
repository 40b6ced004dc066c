"""What a restarted node shows, compared with the ledger."""

import hashlib
import xml.etree.ElementTree as ET

from tests.crash.client import Client
from tests.crash.ledger import DamageError, Version
from tests.crash.load import NS, PLAIN, VERSIONED, check

PAGE = 100


def compare(port, ledger):
    """Compare everything the node shows with the ledger, and settle what was open.

    Raises:
        DamageError: Something acknowledged is missing, or something is there that nobody wrote.
    """
    client = Client(port)
    made = {}
    for bucket in (PLAIN, VERSIONED):
        versions = _versions_of(client, bucket)
        unknown = set(versions) - {key for where, key in ledger.keys if where == bucket}
        check(not unknown, f"keys that nobody wrote: {unknown}")
        made |= _compare_keys(client, ledger, bucket, versions)
        _compare_listing(client, ledger, bucket)
    _compare_uploads(client, ledger, made)
    client.close()


def _compare_keys(client, ledger, bucket, versions):
    made = {}
    for (where, key), state in ledger.keys.items():
        if where != bucket:
            continue
        found = tuple(_read(client, bucket, key, item) for item in versions.get(key, ()))
        try:
            outcome = made[bucket, key] = state.compare(found)
        except DamageError as error:
            raise DamageError(f"{bucket}/{key}: {error}") from None
        if outcome is not None:
            ledger.count("kept" if outcome else "not_kept")
        _compare_plain_read(client, bucket, key, found)
    return made


def _versions_of(client, bucket):
    """Return the listed versions by key, in their order, page by page."""
    found, markers = {}, []
    while True:
        query = [("versions", ""), ("max-keys", str(PAGE)), *markers]
        page = ET.fromstring(client.ask("GET", bucket, query=query).body)
        for item in page:
            if item.tag in (f"{NS}Version", f"{NS}DeleteMarker"):
                found.setdefault(item.findtext(f"{NS}Key"), []).append(item)
        if page.findtext(f"{NS}IsTruncated") != "true":
            break
        markers = [
            ("key-marker", page.findtext(f"{NS}NextKeyMarker")),
            ("version-id-marker", page.findtext(f"{NS}NextVersionIdMarker") or ""),
        ]
    for items in found.values():
        latest = [item.findtext(f"{NS}IsLatest") for item in items]
        check(latest == ["true"] + ["false"] * (len(items) - 1), f"IsLatest: {latest}")
    return found


def _read(client, bucket, key, item):
    """Read one listed version whole, and return it as a value."""
    version_id = item.findtext(f"{NS}VersionId")
    if item.tag == f"{NS}DeleteMarker":
        return Version(version_id)
    answer = client.send("GET", bucket, key, query=[("versionId", version_id)])
    check(answer.status == 200, f"{bucket}/{key} {version_id} is listed and answers {answer}")
    listed = (item.findtext(f"{NS}ETag").strip('"'), int(item.findtext(f"{NS}Size")))
    check(listed == (answer.etag, len(answer.body)), f"{bucket}/{key}: listed as {listed}")
    return Version(
        version_id,
        int(answer.headers.get("x-amz-meta-write", -1)),
        answer.etag,
        hashlib.sha256(answer.body).hexdigest(),
        len(answer.body),
    )


def _compare_plain_read(client, bucket, key, found):
    """HEAD without a version id shows the newest version."""
    is_there = bool(found) and not found[0].is_marker()
    answer = client.send("HEAD", bucket, key)
    shown = (answer.status, answer.etag, answer.headers.get("x-amz-meta-write"))
    wanted = (200, found[0].etag, str(found[0].number)) if is_there else (404, "", None)
    check(shown == wanted, f"HEAD {bucket}/{key}: {shown}, not {wanted}")


def _compare_listing(client, ledger, bucket):
    """The listing names exactly the keys that can be read."""
    listed, more = [], []
    while True:
        query = [("list-type", "2"), ("max-keys", str(PAGE)), *more]
        page = ET.fromstring(client.ask("GET", bucket, query=query).body)
        listed += [item.findtext(f"{NS}Key") for item in page.iter(f"{NS}Contents")]
        if page.findtext(f"{NS}IsTruncated") != "true":
            break
        more = [("continuation-token", page.findtext(f"{NS}NextContinuationToken"))]
    readable = sorted(
        key
        for (where, key), state in ledger.keys.items()
        if where == bucket and state.settled and not state.settled[0].is_marker()
    )
    check(listed == readable, f"{bucket}: listed {listed}, readable {readable}")


def _compare_uploads(client, ledger, made):
    listed = {}
    for bucket in (PLAIN, VERSIONED):
        page = ET.fromstring(client.ask("GET", bucket, query=[("uploads", "")]).body)
        for item in page.iter(f"{NS}Upload"):
            place = (bucket, item.findtext(f"{NS}Key"))
            listed[item.findtext(f"{NS}UploadId")] = place
    for upload_id in set(listed) - set(ledger.uploads):
        place = listed[upload_id]
        check(place in ledger.creating, f"upload {upload_id} of {place}: nobody began it")
        client.ask("DELETE", *place, query=[("uploadId", upload_id)], expected=(204,))
    ledger.creating.clear()
    for upload in list(ledger.uploads.values()):
        _compare_upload(client, ledger, upload, upload.upload_id in listed, made)


def _compare_upload(client, ledger, upload, is_listed, made):
    ending, upload.ending = upload.ending, ""
    if ending == "complete":
        # The object and the end of its upload are one change.
        was_made = bool(made[upload.bucket, upload.key])
        check(was_made != is_listed, f"{upload.upload_id}: made {was_made}, listed {is_listed}")
    else:
        check(is_listed or ending == "abort", f"upload {upload.upload_id} is gone")
    if not is_listed:
        del ledger.uploads[upload.upload_id]
        return
    query = [("uploadId", upload.upload_id)]
    page = ET.fromstring(client.ask("GET", upload.bucket, upload.key, query=query).body)
    upload.compare_parts(
        {
            int(item.findtext(f"{NS}PartNumber")): (
                item.findtext(f"{NS}ETag").strip('"'),
                int(item.findtext(f"{NS}Size")),
            )
            for item in page.iter(f"{NS}Part")
        }
    )
