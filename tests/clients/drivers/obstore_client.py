"""obstore: the object_store crate of Rust."""

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import obstore
from obstore.store import S3Store

from tests.clients.protocol import CannotDo, Listing

NO_BUCKETS = "a store is one bucket that is there already"


class Obstore:
    """One store for a bucket."""

    def __init__(self, endpoint):
        self._endpoint = endpoint
        self._options = {"allow_http": not endpoint.is_tls, "timeout": "30s"}
        if endpoint.ca_file:
            self._options["root_certificate"] = Path(endpoint.ca_file).read_bytes()

    def _store(self, bucket):
        return S3Store(
            bucket,
            endpoint=self._endpoint.url,
            access_key_id=self._endpoint.access_key,
            secret_access_key=self._endpoint.secret_key,
            region=self._endpoint.region,
            virtual_hosted_style_request=False,
            client_options=self._options,
            retry_config={"max_retries": 1},
        )

    def version(self):
        return version("obstore")

    def create_bucket(self, bucket):
        raise CannotDo(NO_BUCKETS)

    def put(self, bucket, key, body, metadata):
        obstore.put(self._store(bucket), key, body, attributes=metadata)

    def get(self, bucket, key):
        return bytes(obstore.get(self._store(bucket), key).bytes())

    def metadata(self, bucket, key):
        return dict(obstore.get(self._store(bucket), key).attributes)

    def upload(self, bucket, key, path):
        with path.open("rb") as source:
            obstore.put(self._store(bucket), key, source, chunk_size=8 * 2**20)

    def download(self, bucket, key, path):
        with path.open("wb") as target:
            for piece in obstore.get(self._store(bucket), key):
                target.write(piece)

    def read_range(self, bucket, key, first, last):
        return bytes(obstore.get_range(self._store(bucket), key, start=first, end=last + 1))

    def list(self, bucket, prefix):
        found = obstore.list_with_delimiter(self._store(bucket), prefix)
        return Listing(
            frozenset(entry["path"] for entry in found["objects"]),
            frozenset(f"{name}/" for name in found["common_prefixes"]),
        )

    def copy(self, bucket, source, target):
        obstore.copy(self._store(bucket), source, target)

    def presign(self, bucket, key):
        return obstore.sign(self._store(bucket), "GET", key, timedelta(seconds=60))

    def delete(self, bucket, key):
        obstore.delete(self._store(bucket), [key])

    def delete_bucket(self, bucket):
        raise CannotDo(NO_BUCKETS)
