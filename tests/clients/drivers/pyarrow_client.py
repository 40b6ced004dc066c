"""pyarrow's S3FileSystem, on the AWS SDK for C++."""

import pyarrow
from pyarrow import fs

from tests.clients.protocol import CannotDo, Listing


class PyArrow:
    """Names are `bucket/key`."""

    def __init__(self, endpoint):
        self._fs = fs.S3FileSystem(
            access_key=endpoint.access_key,
            secret_key=endpoint.secret_key,
            region=endpoint.region,
            scheme="https" if endpoint.is_tls else "http",
            endpoint_override=endpoint.host,
            allow_bucket_creation=True,
            allow_bucket_deletion=True,
            connect_timeout=10,
            request_timeout=30,
            tls_ca_file_path=endpoint.ca_file,
        )

    def version(self):
        return pyarrow.__version__

    def create_bucket(self, bucket):
        self._fs.create_dir(bucket)

    def put(self, bucket, key, body, metadata):
        with self._fs.open_output_stream(f"{bucket}/{key}") as target:
            target.write(body)

    def get(self, bucket, key):
        with self._fs.open_input_stream(f"{bucket}/{key}") as source:
            return source.read()

    def metadata(self, bucket, key):
        raise CannotDo("it knows content type and the like only")

    def upload(self, bucket, key, path):
        with path.open("rb") as source, self._fs.open_output_stream(f"{bucket}/{key}") as target:
            while piece := source.read(4 * 2**20):
                target.write(piece)

    def download(self, bucket, key, path):
        with self._fs.open_input_stream(f"{bucket}/{key}") as source, path.open("wb") as target:
            while piece := source.read(4 * 2**20):
                target.write(piece)

    def read_range(self, bucket, key, first, last):
        with self._fs.open_input_file(f"{bucket}/{key}") as source:
            return source.read_at(last - first + 1, first)

    def list(self, bucket, prefix):
        entries = self._fs.get_file_info(fs.FileSelector(f"{bucket}/{prefix}"))
        names = [(entry.path.removeprefix(f"{bucket}/"), entry.type) for entry in entries]
        return Listing(
            frozenset(name for name, kind in names if kind == fs.FileType.File),
            frozenset(f"{name}/" for name, kind in names if kind == fs.FileType.Directory),
        )

    def copy(self, bucket, source, target):
        self._fs.copy_file(f"{bucket}/{source}", f"{bucket}/{target}")

    def presign(self, bucket, key):
        raise CannotDo("it has no addresses for others")

    def delete(self, bucket, key):
        self._fs.delete_file(f"{bucket}/{key}")

    def delete_bucket(self, bucket):
        self._fs.delete_dir(bucket)
