"""The load: threads that write, delete and upload until the node is gone."""

import base64
import hashlib
import random
import threading
import xml.etree.ElementTree as ET

from tests.crash.client import (
    Client,
    NoAnswerError,
    NotSentError,
    WrongAnswerError,
    md5_hex,
    multipart_etag,
)
from tests.crash.ledger import NULL, DamageError, Upload, Version

PLAIN, VERSIONED = "plain", "versioned"
THREADS = 4
SMALL_BYTES = (0, 1, 700, 4096, 16_383, 16_384, 16_385, 40_000)
LARGE_BYTES = (300 * 1024, 6 * 2**20)
PART_BYTES = 5 * 2**20
VERSIONS_MAX = 3
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
# Bodies that several keys share, so that one body has many owners.
SHARED = [random.Random(size).randbytes(size) for size in (900, 16_384, 500_000)]
WEIGHTS = {
    "put_small": 34,
    "put_large": 22,
    "put_shared": 10,
    "put_refused": 3,
    "copy": 5,
    "read": 6,
    "delete": 10,
    "delete_batch": 5,
    "delete_version": 8,
    "upload": 9,
}


def keys_of(thread):
    """Return the keys that one thread owns in each bucket."""
    return [f"t{thread}/k{number:02d}" for number in range(6)]


class Worker(threading.Thread):
    """One client thread with keys of its own."""

    def __init__(self, number, port, ledger, trigger, rng):
        super().__init__(name=f"load-{number}", daemon=True)
        self._ledger = ledger
        self._trigger = trigger
        self._rng = rng
        self._keys = [(bucket, key) for bucket in (PLAIN, VERSIONED) for key in keys_of(number)]
        self._client = Client(port, on_sent=self._sent)
        self.failure = None

    def run(self):
        names, weights = list(WEIGHTS), list(WEIGHTS.values())
        try:
            for upload in [up for up in self._uploads() if self._rng.random() < 0.7]:
                self._go_on(upload)
            while not self._trigger.has_fired.is_set():
                getattr(self, self._rng.choices(names, weights)[0])()
                if self._crowded():
                    self.delete_version()
        except (NotSentError, NoAnswerError):
            if not self._trigger.has_fired.wait(0.5):
                self.failure = WrongAnswerError("the connection broke before the kill")
        except AssertionError as error:
            self.failure = error
        finally:
            self._client.close()

    def _sent(self, method, query):
        self._trigger.happened("a request was sent")
        if method == "POST" and query and query[0][0] == "uploadId":
            self._trigger.happened("a complete was sent")

    def _key(self):
        return self._rng.choice(self._keys)

    def _crowded(self):
        keys = self._ledger.keys
        return [name for name in self._keys if len(keys[name].settled) > VERSIONS_MAX]

    def _uploads(self):
        mine = set(self._keys)
        return [up for up in list(self._ledger.uploads.values()) if (up.bucket, up.key) in mine]

    def _change(self, bucket, key, after, send):
        """Make one change of one key, and note what is known of it."""
        state = self._ledger.keys[bucket, key]
        state.open(after)
        try:
            answer = send()
        except (NotSentError, WrongAnswerError):
            state.maybe = None
            raise
        state.acknowledge(answer.version_id)
        self._ledger.count("acknowledged")
        self._trigger.happened("an answer came")
        return answer

    def _put(self, data):
        bucket, key = self._key()
        number = self._ledger.next_number()
        state = self._ledger.keys[bucket, key]
        version = version_of(state, number, md5_hex(data), data)
        answer = self._change(
            bucket,
            key,
            state.after_put(version),
            lambda: self._client.ask(
                "PUT", bucket, key, body=data, headers={"x-amz-meta-write": str(number)}
            ),
        )
        check(answer.etag == version.etag, f"PUT answered {answer.etag} for {version}")

    def put_small(self):
        self._put(self._rng.randbytes(self._rng.choice(SMALL_BYTES)))

    def put_large(self):
        self._put(self._rng.randbytes(self._rng.randint(*LARGE_BYTES)))

    def put_shared(self):
        self._put(self._rng.choice(SHARED))

    def put_refused(self):
        """Send a body whose digest is wrong: it must leave nothing."""
        bucket, key = self._key()
        headers = {"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA==", "x-amz-meta-write": "0"}
        data = self._rng.randbytes(self._rng.choice((4096, 400_000)))
        self._client.ask("PUT", bucket, key, body=data, headers=headers, expected=(400,))
        self._ledger.count("refused")

    def copy(self):
        (bucket, source), (target_bucket, target) = self._key(), self._key()
        versions = self._ledger.keys[bucket, source].settled
        if not versions or versions[0].is_marker() or "-" in versions[0].etag:
            return
        number, state = self._ledger.next_number(), self._ledger.keys[target_bucket, target]
        made = Version(
            None if state.is_versioned else NULL,
            number,
            versions[0].etag,
            versions[0].sha256,
            versions[0].size_bytes,
        )
        headers = {
            "x-amz-copy-source": f"/{bucket}/{source}",
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-meta-write": str(number),
        }
        self._change(
            target_bucket,
            target,
            state.after_put(made),
            lambda: self._client.ask("PUT", target_bucket, target, headers=headers),
        )

    def read(self):
        bucket, key = self._key()
        versions = self._ledger.keys[bucket, key].settled
        is_there = bool(versions) and not versions[0].is_marker()
        answer = self._client.ask("GET", bucket, key, expected=(200,) if is_there else (404,))
        digest = hashlib.sha256(answer.body).hexdigest()
        check(not is_there or digest == versions[0].sha256, f"GET {bucket}/{key}: other bytes")

    def delete(self):
        bucket, key = self._key()
        after = self._ledger.keys[bucket, key].after_delete()
        self._change(
            bucket, key, after, lambda: self._client.ask("DELETE", bucket, key, expected=(204,))
        )

    def delete_version(self):
        bucket, key = self._rng.choice(self._crowded() or self._keys)
        state = self._ledger.keys[bucket, key]
        named = [version for version in state.settled if version.version_id is not None]
        if not named:
            return
        gone = self._rng.choice(named)
        self._change(
            bucket,
            key,
            tuple(version for version in state.settled if version is not gone),
            lambda: self._client.ask(
                "DELETE", bucket, key, query=[("versionId", gone.version_id)], expected=(204,)
            ),
        )

    def delete_batch(self):
        bucket = self._rng.choice((PLAIN, VERSIONED))
        mine = [key for where, key in self._keys if where == bucket]
        keys = self._rng.sample(mine, 4)
        states = {key: self._ledger.keys[bucket, key] for key in keys}
        for state in states.values():
            state.open(state.after_delete())
        text = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        document = f"<Delete>{text}</Delete>".encode()
        digest = base64.b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()
        try:
            answer = self._client.ask(
                "POST",
                bucket,
                query=[("delete", "")],
                body=document,
                headers={"Content-MD5": digest},
            )
        except NotSentError:
            for state in states.values():
                state.maybe = None
            raise
        deleted = {
            item.findtext(f"{NS}Key"): item.findtext(f"{NS}DeleteMarkerVersionId")
            for item in ET.fromstring(answer.body).iter(f"{NS}Deleted")
        }
        check(set(deleted) == set(keys), f"DeleteObjects answered {answer.body!r}")
        for key, state in states.items():
            state.acknowledge(deleted[key])
            self._ledger.count("acknowledged")

    def upload(self):
        bucket, key = self._key()
        if any((up.bucket, up.key) == (bucket, key) for up in self._uploads()):
            return
        number = self._ledger.next_number()
        self._ledger.creating.add((bucket, key))
        answer = self._client.ask(
            "POST", bucket, key, query=[("uploads", "")], headers={"x-amz-meta-write": str(number)}
        )
        self._ledger.creating.discard((bucket, key))
        upload_id = ET.fromstring(answer.body).findtext(f"{NS}UploadId")
        upload = Upload(bucket, key, upload_id, number)
        self._ledger.uploads[upload_id] = upload
        sizes = self._rng.choice([(40_000,), (900,), (PART_BYTES, 30_000), (PART_BYTES, 1_000)])
        for part, size in enumerate(sizes, start=1):
            self._put_part(upload, part, self._rng.randbytes(size))
        if self._rng.random() < 0.85:
            self._go_on(upload)

    def _put_part(self, upload, number, data):
        etag = md5_hex(data)
        upload.data[number] = data
        upload.maybe = (number, etag, len(data))
        query = [("partNumber", str(number)), ("uploadId", upload.upload_id)]
        answer = self._client.ask("PUT", upload.bucket, upload.key, query=query, body=data)
        check(answer.etag == etag, f"UploadPart answered {answer.etag} for {etag}")
        upload.parts[number], upload.maybe = (etag, len(data)), None
        self._ledger.count("acknowledged")

    def _go_on(self, upload):
        """Complete or abort an upload, perhaps one from before the last crash."""
        if 1 not in upload.parts or self._rng.random() < 0.2:
            self._abort(upload)
        else:
            self._complete(upload)
        del self._ledger.uploads[upload.upload_id]

    def _abort(self, upload):
        upload.ending = "abort"
        query = [("uploadId", upload.upload_id)]
        self._client.ask("DELETE", upload.bucket, upload.key, query=query, expected=(204,))
        self._ledger.count("acknowledged")

    def _complete(self, upload):
        upload.ending = "complete"
        numbers = sorted(upload.parts)
        etags = [upload.parts[number][0] for number in numbers]
        state = self._ledger.keys[upload.bucket, upload.key]
        whole = b"".join(upload.data[number] for number in numbers)
        version = version_of(state, upload.number, multipart_etag(etags), whole)
        text = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in zip(numbers, etags, strict=True)
        )
        document = f"<CompleteMultipartUpload>{text}</CompleteMultipartUpload>".encode()
        self._change(
            upload.bucket,
            upload.key,
            state.after_put(version),
            lambda: self._client.ask(
                "POST",
                upload.bucket,
                upload.key,
                query=[("uploadId", upload.upload_id)],
                body=document,
            ),
        )


def version_of(state, number, etag, data):
    """Return the version that a write of `data` makes."""
    version_id = None if state.is_versioned else NULL
    return Version(version_id, number, etag, hashlib.sha256(data).hexdigest(), len(data))


def check(is_true, what):
    """Raise DamageError unless something is true."""
    if not is_true:
        raise DamageError(what)


def prepare(port, ledger):
    """Make the buckets, and room for all keys."""
    client = Client(port)
    for bucket in (PLAIN, VERSIONED):
        client.ask("PUT", bucket)
        for thread in range(THREADS):
            for key in keys_of(thread):
                ledger.add_key(bucket, key, is_versioned=bucket == VERSIONED)
    enable = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    client.ask("PUT", VERSIONED, query=[("versioning", "")], body=enable)
    client.close()
