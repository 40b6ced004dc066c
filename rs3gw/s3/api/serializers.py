"""What the API of objects takes and gives."""

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from rs3gw.s3.core.sigv4 import EXPIRES_SECONDS_MAX

if TYPE_CHECKING:
    _Serializer = serializers.Serializer[Any]
else:
    _Serializer = serializers.Serializer

PAGE_MAX = 1000
KEY_BYTES_MAX = 1024


class KeyField(serializers.CharField):
    """A key: 1 to 1024 bytes of UTF-8, taken as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, max_length=KEY_BYTES_MAX, **options)

    def to_internal_value(self, data: Any) -> str:
        """Refuse what has more bytes than a key may have."""
        key = str(super().to_internal_value(data))
        if len(key.encode("utf-8", "replace")) > KEY_BYTES_MAX:
            raise serializers.ValidationError(f"A key has at most {KEY_BYTES_MAX} bytes of UTF-8.")
        return key


class VersionAddressSerializer(_Serializer):
    """Which object, and which version of it."""

    key = KeyField()
    version_id = serializers.CharField(required=False, max_length=64)


class VersionsQuerySerializer(_Serializer):
    """Which part of a bucket's versions to list."""

    prefix = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    delimiter = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    key_marker = serializers.CharField(default="", allow_blank=True, trim_whitespace=False)
    version_marker = serializers.CharField(default="", allow_blank=True)
    limit = serializers.IntegerField(default=PAGE_MAX, min_value=1, max_value=PAGE_MAX)


class VersionSerializer(_Serializer):
    """One version or delete marker, as a listing shows it."""

    key = serializers.CharField()
    version_id = serializers.CharField()
    is_latest = serializers.BooleanField()
    is_delete_marker = serializers.BooleanField()
    size_bytes = serializers.IntegerField()
    etag = serializers.CharField()
    last_modified = serializers.DateTimeField()
    owner = serializers.CharField()
    storage_class = serializers.CharField()
    origin_node = serializers.CharField()


class VersionPageSerializer(_Serializer):
    """A page of versions, newest first within a key."""

    versions = VersionSerializer(many=True)
    common_prefixes = serializers.ListField(child=serializers.CharField())
    is_truncated = serializers.BooleanField()
    next_key_marker = serializers.CharField()
    next_version_marker = serializers.CharField()


class PartSerializer(_Serializer):
    """One part of a multipart object."""

    number = serializers.IntegerField()
    size_bytes = serializers.IntegerField()
    etag = serializers.CharField()


class ObjectDetailSerializer(VersionSerializer):
    """Everything that is known of one version but its bytes."""

    content_type = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    metadata = serializers.DictField(child=serializers.CharField())
    tags = serializers.DictField(child=serializers.CharField())
    checksums = serializers.DictField(child=serializers.CharField())
    lock = serializers.DictField(child=serializers.CharField())
    parts = PartSerializer(many=True)
    holders = serializers.ListField(
        child=serializers.CharField(), help_text="Nodes that placement chose to keep the bytes."
    )


class TagsSerializer(_Serializer):
    """The tags of a version."""

    tags = serializers.DictField(
        child=serializers.CharField(allow_blank=True, trim_whitespace=False)
    )


class PresignSerializer(_Serializer):
    """What a link is to allow, and for how long."""

    key = KeyField()
    method = serializers.ChoiceField(choices=["GET", "HEAD", "PUT", "DELETE"], default="GET")
    expires_seconds = serializers.IntegerField(
        default=3600, min_value=1, max_value=EXPIRES_SECONDS_MAX
    )
    version_id = serializers.CharField(required=False, max_length=64)
    upload_id = serializers.CharField(
        required=False, max_length=256, help_text="With `part_number`: a link for one part."
    )
    part_number = serializers.IntegerField(required=False, min_value=1, max_value=10_000)
    response_content_disposition = serializers.CharField(required=False, max_length=1024)
    access_key_id = serializers.CharField(
        required=False, help_text="An enabled key; left out, one of the bucket's owner."
    )


class PresignedSerializer(_Serializer):
    """A link that carries its own signature."""

    url = serializers.CharField()
    expires_at = serializers.DateTimeField()
