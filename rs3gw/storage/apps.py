"""Django application of the object store."""

from django.apps import AppConfig


class StorageConfig(AppConfig):
    """Buckets, index entries and bodies."""

    name = "rs3gw.storage"
    label = "storage"
    verbose_name = "Storage"
