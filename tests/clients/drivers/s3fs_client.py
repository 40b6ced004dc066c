"""s3fs, the file system of fsspec, on aiobotocore."""

import s3fs

from tests.clients.protocol import Listing


class S3fs:
    """Names are `bucket/key`."""

    def __init__(self, endpoint):
        self._fs = s3fs.S3FileSystem(
            key=endpoint.access_key,
            secret=endpoint.secret_key,
            endpoint_url=endpoint.url,
            client_kwargs={"region_name": endpoint.region, "verify": endpoint.ca_file},
            config_kwargs={"s3": {"addressing_style": "path"}, "signature_version": "s3v4"},
            use_listings_cache=False,
        )

    def version(self):
        return s3fs.__version__

    def create_bucket(self, bucket):
        self._fs.mkdir(bucket)

    def put(self, bucket, key, body, metadata):
        with self._fs.open(f"{bucket}/{key}", "wb", Metadata=metadata) as target:
            target.write(body)

    def get(self, bucket, key):
        return self._fs.cat_file(f"{bucket}/{key}")

    def metadata(self, bucket, key):
        return self._fs.metadata(f"{bucket}/{key}")

    def upload(self, bucket, key, path):
        self._fs.put_file(str(path), f"{bucket}/{key}", chunksize=8 * 2**20)

    def download(self, bucket, key, path):
        self._fs.get_file(f"{bucket}/{key}", str(path))

    def read_range(self, bucket, key, first, last):
        with self._fs.open(f"{bucket}/{key}", "rb", block_size=2**16, cache_type="none") as source:
            source.seek(first)
            return source.read(last - first + 1)

    def list(self, bucket, prefix):
        entries = self._fs.ls(f"{bucket}/{prefix}", detail=True)
        names = [(entry["name"].removeprefix(f"{bucket}/"), entry["type"]) for entry in entries]
        return Listing(
            frozenset(name for name, kind in names if kind == "file"),
            frozenset(f"{name}/" for name, kind in names if kind == "directory"),
        )

    def copy(self, bucket, source, target):
        self._fs.copy(f"{bucket}/{source}", f"{bucket}/{target}")

    def presign(self, bucket, key):
        return self._fs.sign(f"{bucket}/{key}", expiration=60)

    def delete(self, bucket, key):
        self._fs.rm(f"{bucket}/{key}")

    def delete_bucket(self, bucket):
        self._fs.rmdir(bucket)
