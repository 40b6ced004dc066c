"""boto3, with its transfer manager."""

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from tests.clients.protocol import Listing


class Boto3:
    """Path-style addresses."""

    style = "path"

    def __init__(self, endpoint):
        self._s3 = boto3.client(
            "s3",
            endpoint_url=self._address(endpoint),
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name=endpoint.region,
            verify=endpoint.ca_file,
            config=Config(signature_version="s3v4", s3={"addressing_style": self.style}),
        )
        self._transfer = TransferConfig(multipart_threshold=8 * 2**20)

    def _address(self, endpoint):
        return endpoint.url

    def version(self):
        return boto3.__version__

    def create_bucket(self, bucket):
        self._s3.create_bucket(Bucket=bucket)

    def put(self, bucket, key, body, metadata):
        self._s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)

    def get(self, bucket, key):
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def metadata(self, bucket, key):
        return self._s3.head_object(Bucket=bucket, Key=key)["Metadata"]

    def upload(self, bucket, key, path):
        self._s3.upload_file(str(path), bucket, key, Config=self._transfer)

    def download(self, bucket, key, path):
        self._s3.download_file(bucket, key, str(path), Config=self._transfer)

    def read_range(self, bucket, key, first, last):
        answer = self._s3.get_object(Bucket=bucket, Key=key, Range=f"bytes={first}-{last}")
        return answer["Body"].read()

    def list(self, bucket, prefix):
        answer = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
        return Listing(
            frozenset(entry["Key"] for entry in answer.get("Contents", [])),
            frozenset(entry["Prefix"] for entry in answer.get("CommonPrefixes", [])),
        )

    def copy(self, bucket, source, target):
        self._s3.copy_object(
            Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": source}
        )

    def presign(self, bucket, key):
        names = {"Bucket": bucket, "Key": key}
        return self._s3.generate_presigned_url("get_object", Params=names, ExpiresIn=60)

    def delete(self, bucket, key):
        self._s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})

    def delete_bucket(self, bucket):
        self._s3.delete_bucket(Bucket=bucket)


class Boto3Virtual(Boto3):
    """The bucket in the host name."""

    style = "virtual"

    def _address(self, endpoint):
        return endpoint.virtual_url
