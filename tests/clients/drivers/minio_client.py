"""minio-py."""

import io
from datetime import timedelta

import certifi
import minio
import urllib3
from minio.commonconfig import CopySource

from tests.clients.protocol import Listing


class MinioPy:
    """Sends bodies in signed chunks over plain HTTP."""

    def __init__(self, endpoint):
        pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=10, read=30),
            retries=urllib3.Retry(total=1),
            ca_certs=endpoint.ca_file or certifi.where(),
        )
        self._minio = minio.Minio(
            endpoint=endpoint.host,
            access_key=endpoint.access_key,
            secret_key=endpoint.secret_key,
            region=endpoint.region,
            secure=endpoint.is_tls,
            http_client=pool,
        )

    def version(self):
        return minio.__version__

    def create_bucket(self, bucket):
        self._minio.make_bucket(bucket_name=bucket)

    def put(self, bucket, key, body, metadata):
        self._minio.put_object(
            bucket_name=bucket,
            object_name=key,
            data=io.BytesIO(body),
            length=len(body),
            metadata=metadata,
        )

    def get(self, bucket, key):
        with self._minio.get_object(bucket_name=bucket, object_name=key) as answer:
            return answer.read()

    def metadata(self, bucket, key):
        headers = self._minio.stat_object(bucket_name=bucket, object_name=key).metadata
        return {name.lower().removeprefix("x-amz-meta-"): text for name, text in headers.items()}

    def upload(self, bucket, key, path):
        self._minio.fput_object(
            bucket_name=bucket, object_name=key, file_path=str(path), part_size=8 * 2**20
        )

    def download(self, bucket, key, path):
        self._minio.fget_object(bucket_name=bucket, object_name=key, file_path=str(path))

    def read_range(self, bucket, key, first, last):
        with self._minio.get_object(
            bucket_name=bucket, object_name=key, offset=first, length=last - first + 1
        ) as answer:
            return answer.read()

    def list(self, bucket, prefix):
        entries = list(self._minio.list_objects(bucket_name=bucket, prefix=prefix))
        return Listing(
            frozenset(entry.object_name for entry in entries if not entry.is_dir),
            frozenset(entry.object_name for entry in entries if entry.is_dir),
        )

    def copy(self, bucket, source, target):
        place = CopySource(bucket_name=bucket, object_name=source)
        self._minio.copy_object(bucket_name=bucket, object_name=target, source=place)

    def presign(self, bucket, key):
        return self._minio.presigned_get_object(
            bucket_name=bucket, object_name=key, expires=timedelta(seconds=60)
        )

    def delete(self, bucket, key):
        self._minio.remove_object(bucket_name=bucket, object_name=key)

    def delete_bucket(self, bucket):
        self._minio.remove_bucket(bucket_name=bucket)
