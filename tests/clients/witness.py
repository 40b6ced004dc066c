"""A second view of the store, by boto3: prepares what a step needs and checks what it did."""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


class Witness:
    """Puts, reads and counts objects without the client under test."""

    def __init__(self, endpoint):
        self._s3 = boto3.client(
            "s3",
            endpoint_url=endpoint.url,
            aws_access_key_id=endpoint.access_key,
            aws_secret_access_key=endpoint.secret_key,
            region_name=endpoint.region,
            verify=endpoint.ca_file,
            config=Config(
                s3={"addressing_style": "path"},
                connect_timeout=10,
                read_timeout=30,
                retries={"total_max_attempts": 1},
            ),
        )

    def ensure_bucket(self, bucket):
        if not self.has_bucket(bucket):
            self._s3.create_bucket(Bucket=bucket)

    def has_bucket(self, bucket):
        return bucket in [each["Name"] for each in self._s3.list_buckets()["Buckets"]]

    def put(self, bucket, key, body):
        self._s3.put_object(Bucket=bucket, Key=key, Body=body)

    def get(self, bucket, key):
        return self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def head(self, bucket, key):
        """Return the object's head, or None when there is no object."""
        try:
            return self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def keys(self, bucket):
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def open_uploads(self, bucket):
        return self._s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])

    def empty(self, bucket):
        for key in self.keys(bucket):
            self._s3.delete_object(Bucket=bucket, Key=key)
        for upload in self.open_uploads(bucket):
            self._s3.abort_multipart_upload(
                Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
            )

    def drop(self, bucket):
        if self.has_bucket(bucket):
            self.empty(bucket)
            self._s3.delete_bucket(Bucket=bucket)
