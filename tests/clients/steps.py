"""The steps that every client is taken through, each on its own objects."""

import hashlib
import re
import ssl
import urllib.error
import urllib.request

from tests.clients.compare import same
from tests.clients.protocol import CannotDo
from tests.clients.step_names import STEP_NAMES

SMALL_KEY = "small/größe 日本 +&.txt"
LARGE_KEY = "large/20 MiB.bin"
METADATA = {"colour": "blue", "owner-id": "o 17"}
LARGE_BYTES = 20 * 2**20
RANGE = (1_000_003, 1_065_538)
NAMES = ["list/a.txt", "list/b ü+.txt", "list/sub/c.txt", "list/sub/deep/d.txt", "other.txt"]


def body_of(name, size):
    """Return `size` bytes that follow from `name`."""
    return hashlib.shake_256(name.encode()).digest(size)


class Steps:
    """One client in one bucket; a step returns a remark, or nothing."""

    def __init__(self, client, witness, endpoint, bucket):
        self._client = client
        self._witness = witness
        self._endpoint = endpoint
        self._bucket = bucket
        self._opaque = getattr(client, "opaque", False)

    def create_bucket(self):
        self._client.create_bucket(self._bucket)
        same(self._witness.has_bucket(self._bucket), True, "the bucket is listed")

    def small_object(self):
        body = b"small \x00 body\n"
        self._client.put(self._bucket, SMALL_KEY, body, METADATA)
        if not self._opaque:
            same(self._witness.keys(self._bucket), [SMALL_KEY], "keys after the put")
            same(self._witness.get(self._bucket, SMALL_KEY), body, "the body that was stored")
        same(self._client.get(self._bucket, SMALL_KEY), body, "the body that was read")
        try:
            found = self._client.metadata(self._bucket, SMALL_KEY)
        except CannotDo as error:
            return f"no metadata: {error}"
        stored = self._witness.head(self._bucket, SMALL_KEY)["Metadata"]
        same({name: stored.get(name) for name in METADATA}, METADATA, "the metadata stored")
        lowered = {name.lower(): text for name, text in found.items()}
        same({name: lowered.get(name) for name in METADATA}, METADATA, "the metadata read")
        return None

    def large_object(self):
        source, target = self._endpoint.directory / "large", self._endpoint.directory / "back"
        body = body_of("large", LARGE_BYTES)
        source.write_bytes(body)
        self._client.upload(self._bucket, LARGE_KEY, source)
        remark = "in packs of its own" if self._opaque else self._parts_of_large(body)
        same(self._witness.open_uploads(self._bucket), [], "uploads left open")
        self._client.download(self._bucket, LARGE_KEY, target)
        same(target.read_bytes(), body, "the file that came back")
        return remark

    def _parts_of_large(self, body):
        head = self._witness.head(self._bucket, LARGE_KEY)
        same(head and head["ContentLength"], LARGE_BYTES, "the size stored")
        same(self._witness.get(self._bucket, LARGE_KEY), body, "the body stored")
        parts = re.search(r"-(\d+)", head["ETag"])
        return None if parts and int(parts[1]) > 1 else "sent as one PUT"

    def ranged_read(self):
        if read_table := getattr(self._client, "read_table", None):
            same(read_table(self._bucket), True, "rows of a Parquet table")
            return "rows of a Parquet table, in ranges of the client's choice"
        body = body_of("range", RANGE[1] * 2)
        self._witness.put(self._bucket, "range.bin", body)
        found = self._client.read_range(self._bucket, "range.bin", *RANGE)
        same(found, body[RANGE[0] : RANGE[1] + 1], "the range")
        return None

    def list_prefix(self):
        for name in NAMES:
            self._witness.put(self._bucket, name, b"x")
        found = self._client.list(self._bucket, "list/")
        same(found.keys, {"list/a.txt", "list/b ü+.txt"}, "the keys")
        if found.prefixes is None:
            return "keys only, no prefixes"
        same(found.prefixes, {"list/sub/"}, "the common prefixes")
        return None

    def copy(self):
        source, target = "copy/from ü+.txt", "copy/to ü+.txt"
        self._witness.put(self._bucket, source, b"to be copied")
        self._client.copy(self._bucket, source, target)
        same(self._witness.get(self._bucket, target), b"to be copied", "the copy")
        same(self._witness.get(self._bucket, source), b"to be copied", "the source")

    def presign(self):
        key = "presign/größe 1+.txt"
        self._witness.put(self._bucket, key, b"for anybody with the address")
        url = self._client.presign(self._bucket, key)
        if "AWSAccessKeyId=" in url:
            same(self._fetch(url)[0], 400, "an address of signature version 2")
            raise CannotDo("its addresses are of signature version 2, which are refused here")
        same(self._fetch(url), (200, b"for anybody with the address"), "the presigned address")
        same(self._fetch(url.partition("?")[0])[0], 403, "the address without its signature")

    def _fetch(self, url):
        trust = ssl.create_default_context(cafile=self._endpoint.ca_file)
        handler = urllib.request.HTTPSHandler(context=trust)
        opener = urllib.request.build_opener(handler, urllib.request.ProxyHandler({}))
        try:
            with opener.open(url, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def delete(self):
        key = "delete/größe 日本 +.txt"
        if self._opaque:
            return self._delete_own(key)
        self._witness.put(self._bucket, key, b"short-lived")
        self._client.delete(self._bucket, key)
        same(self._witness.head(self._bucket, key), None, "the object after its deletion")
        return None

    def _delete_own(self, key):
        before = set(self._witness.keys(self._bucket))
        body = body_of("delete", 2**17)
        self._client.put(self._bucket, key, body, {})
        added = set(self._witness.keys(self._bucket)) - before
        self._client.delete(self._bucket, key)
        left = added & set(self._witness.keys(self._bucket))
        same(bool(added) and len(left) < len(added), True, "objects of the deleted file go")

    def remove_bucket(self):
        self._witness.empty(self._bucket)
        self._client.delete_bucket(self._bucket)
        same(self._witness.has_bucket(self._bucket), False, "the bucket is listed")


# The first makes the bucket and the last removes it.
STEPS = dict(
    zip(
        STEP_NAMES,
        (
            Steps.create_bucket,
            Steps.small_object,
            Steps.large_object,
            Steps.ranged_read,
            Steps.list_prefix,
            Steps.copy,
            Steps.presign,
            Steps.delete,
            Steps.remove_bucket,
        ),
        strict=True,
    )
)
