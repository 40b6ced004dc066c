"""smart_open: files by address, on boto3."""

import shutil

import boto3
import smart_open
from botocore.config import Config

from tests.clients.protocol import CannotDo

FILES_ONLY = "it opens files, and nothing else"


class SmartOpen:
    """Writes in parts as a stream comes."""

    def __init__(self, endpoint):
        self._s3 = boto3.client(
            "s3",
            endpoint_url=endpoint.url,
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name=endpoint.region,
            verify=endpoint.ca_file,
            config=Config(s3={"addressing_style": "path"}),
        )

    def _open(self, bucket, key, mode, **options):
        params = {"client": self._s3, "min_part_size": 5 * 2**20, **options}
        return smart_open.open(f"s3://{bucket}/{key}", mode, transport_params=params)

    def version(self):
        return smart_open.__version__

    def create_bucket(self, bucket):
        raise CannotDo(FILES_ONLY)

    def put(self, bucket, key, body, metadata):
        extra = {"S3.Client.create_multipart_upload": {"Metadata": metadata}}
        with self._open(bucket, key, "wb", client_kwargs=extra) as target:
            target.write(body)

    def get(self, bucket, key):
        with self._open(bucket, key, "rb") as source:
            return source.read()

    def metadata(self, bucket, key):
        raise CannotDo("it writes metadata, and reads none")

    def upload(self, bucket, key, path):
        with path.open("rb") as source, self._open(bucket, key, "wb") as target:
            shutil.copyfileobj(source, target, 2**20)

    def download(self, bucket, key, path):
        with self._open(bucket, key, "rb") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)

    def read_range(self, bucket, key, first, last):
        with self._open(bucket, key, "rb") as source:
            source.seek(first)
            return source.read(last - first + 1)

    def list(self, bucket, prefix):
        raise CannotDo("its iter_bucket reads all objects below a prefix, without a delimiter")

    def copy(self, bucket, source, target):
        raise CannotDo(FILES_ONLY)

    def presign(self, bucket, key):
        raise CannotDo(FILES_ONLY)

    def delete(self, bucket, key):
        raise CannotDo(FILES_ONLY)

    def delete_bucket(self, bucket):
        raise CannotDo(FILES_ONLY)
