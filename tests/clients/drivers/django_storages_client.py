"""django-storages: Django's file storage on boto3."""

from importlib.metadata import version

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile

from tests.clients.protocol import CannotDo, Listing

if not settings.configured:
    settings.configure(USE_TZ=True)

from storages.backends.s3 import S3Storage

NO_BUCKETS = "since version 1.10 it makes no buckets"


class DjangoStorages:
    """A storage for a bucket."""

    def __init__(self, endpoint):
        self._endpoint = endpoint

    def _storage(self, bucket, **options):
        return S3Storage(
            bucket_name=bucket,
            endpoint_url=self._endpoint.url,
            access_key=self._endpoint.access_key,
            secret_key=self._endpoint.secret_key,
            region_name=self._endpoint.region,
            verify=self._endpoint.ca_file,
            addressing_style="path",
            signature_version="s3v4",
            querystring_expire=60,
            file_overwrite=True,
            **options,
        )

    def version(self):
        return version("django-storages")

    def create_bucket(self, bucket):
        raise CannotDo(NO_BUCKETS)

    def put(self, bucket, key, body, metadata):
        storage = self._storage(bucket, object_parameters={"Metadata": metadata})
        storage.save(key, ContentFile(body))

    def get(self, bucket, key):
        with self._storage(bucket).open(key, "rb") as source:
            return source.read()

    def metadata(self, bucket, key):
        with self._storage(bucket).open(key, "rb") as source:
            return source.obj.metadata

    def upload(self, bucket, key, path):
        with path.open("rb") as source:
            self._storage(bucket).save(key, File(source))

    def download(self, bucket, key, path):
        with self._storage(bucket).open(key, "rb") as source, path.open("wb") as target:
            for piece in source.chunks():
                target.write(piece)

    def read_range(self, bucket, key, first, last):
        raise CannotDo("its files are fetched whole before they are read")

    def list(self, bucket, prefix):
        directories, files = self._storage(bucket).listdir(prefix)
        return Listing(
            frozenset(prefix + name for name in files),
            frozenset(f"{prefix}{name}/" for name in directories),
        )

    def copy(self, bucket, source, target):
        raise CannotDo("Django's storages have no copy")

    def presign(self, bucket, key):
        return self._storage(bucket).url(key)

    def delete(self, bucket, key):
        self._storage(bucket).delete(key)

    def delete_bucket(self, bucket):
        raise CannotDo(NO_BUCKETS)
