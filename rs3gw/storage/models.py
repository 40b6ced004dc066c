"""Rows of the object store.

An `ObjectVersion` is an index entry; its bytes are an `InlineBody` row or a file named by its
hash. Several rows with one (bucket, key, version id) are siblings: concurrent writes of which
`is_latest` marks the one that readers see.
"""

from django.db import models
from django.db.models import Q

from rs3gw.storage.fields import KeyField


class BucketState(models.TextChoices):
    """Where a bucket is in its life."""

    LIVE = "live", "Live"
    DELETED = "deleted", "Deleted"
    DELETE_CONFLICT = "delete_conflict", "Deleted elsewhere while in use here"
    RENAMED = "renamed", "Hidden: another owner holds its name"


class Bucket(models.Model):
    """One life of a bucket name; a name that is deleted and created again gets a new row.

    `incarnation` names that life on every node. `alias_of` points to the life that carries on
    when two nodes created the same name at the same time. `settings_revision` grows with each
    change of the bucket's settings on this node, so that what was read of them can be kept.
    """

    name = KeyField(max_length=63)
    incarnation = models.UUIDField(unique=True)
    state = models.CharField(
        max_length=16, choices=BucketState.choices, default=BucketState.LIVE, editable=False
    )
    alias_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, editable=False
    )
    owner = models.CharField(max_length=64, default="root")
    region = models.CharField(max_length=63, editable=False)
    versioning = models.CharField(max_length=9, blank=True, default="", editable=False)
    settings_revision = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    create_actor = models.BigIntegerField(editable=False)
    create_seq = models.BigIntegerField(editable=False)
    create_hlc = models.BigIntegerField(editable=False)
    delete_hlc = models.BigIntegerField(null=True, blank=True, editable=False)
    delete_context = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["name"],
                condition=Q(state__in=["live", "delete_conflict"]),
                name="storage_bucket_one_life_a_name",
            ),
        ]

    def __str__(self) -> str:
        return str(self.name)


class ObjectState(models.TextChoices):
    """Whether a version has bytes or records a delete.

    A tombstone is what is left of a version that was deleted, and is shown to nobody. A marker is
    a version of its own, S3's delete marker, and can be deleted like any other.
    """

    LIVE = "live", "Live"
    TOMBSTONE = "tombstone", "Deleted"
    MARKER = "marker", "Delete marker"


class ObjectVersion(models.Model):
    """The index entry of one object version: everything but its bytes.

    `headers` holds what S3 calls metadata of the system: the writer's headers, the owner, the
    access control list and the locks.
    """

    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE, db_index=False)
    key = KeyField()
    version_id = models.CharField(max_length=64, default="null")
    is_latest = models.BooleanField(default=True)
    state = models.CharField(max_length=9, choices=ObjectState.choices, default=ObjectState.LIVE)
    actor = models.BigIntegerField()
    seq = models.BigIntegerField()
    hlc = models.BigIntegerField()
    context = models.JSONField(default=dict)
    etag = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    content_type = models.TextField(blank=True)
    headers = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    tags = models.JSONField(default=dict)
    checksums = models.JSONField(default=dict)
    checksum_type = models.CharField(max_length=11, blank=True)
    parts = models.JSONField(default=list)
    last_modified = models.DateTimeField()
    origin_node = models.CharField(max_length=63, blank=True)

    class Meta:
        verbose_name = "object"
        constraints = [
            models.UniqueConstraint(fields=["actor", "seq"], name="storage_objectversion_dot"),
        ]
        indexes = [
            models.Index(fields=["bucket", "key", "version_id"], name="storage_ov_key"),
            models.Index(
                fields=["bucket", "key", "-hlc"],
                condition=~Q(state="tombstone"),
                name="storage_ov_versions",
            ),
            models.Index(
                fields=["bucket", "key"],
                condition=Q(is_latest=True, state="live"),
                name="storage_ov_listing",
            ),
            models.Index(fields=["sha256"], condition=~Q(sha256=""), name="storage_ov_sha256"),
            models.Index(
                fields=["hlc", "id"], condition=Q(state="tombstone"), name="storage_ov_tombstones"
            ),
        ]

    def __str__(self) -> str:
        return str(self.key)


class VersionAttribute(models.Model):
    """The newest value of something that can be changed of a version after it was written.

    `actor` and `seq` are the dot of the version, so a value that arrives before its version
    waits for it here, and one for a version that was replaced does no harm. The write with the
    greatest (set_hlc, set_actor, set_seq) counts.
    """

    actor = models.BigIntegerField()
    seq = models.BigIntegerField()
    name = models.CharField(max_length=16)
    value = models.JSONField()
    set_actor = models.BigIntegerField()
    set_seq = models.BigIntegerField()
    set_hlc = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["actor", "seq", "name"], name="storage_one_version_attribute"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.actor}.{self.seq}"


class InlineBody(models.Model):
    """A small body, kept in the database under its hash: no file, no extra fsync."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    data = models.BinaryField()
    touched_at = models.DateTimeField()

    class Meta:
        verbose_name = "small body"
        verbose_name_plural = "small bodies"

    def __str__(self) -> str:
        return self.sha256


class PartReference(models.Model):
    """That a multipart version needs a body: what keeps the body from being collected."""

    version = models.ForeignKey(ObjectVersion, on_delete=models.CASCADE)
    sha256 = models.CharField(max_length=64, db_index=True)

    def __str__(self) -> str:
        return self.sha256


class KeptBody(models.Model):
    """That a body is needed by something that is not in the index.

    `holder` names what needs it, such as an object that waits for a decision.
    """

    sha256 = models.CharField(max_length=64, db_index=True)
    holder = models.CharField(max_length=64, db_index=True)

    def __str__(self) -> str:
        return f"{self.sha256} for {self.holder}"


class MultipartUpload(models.Model):
    """An upload in parts that has begun and is neither complete nor aborted.

    The node that began it has a row, and so has every other node that was sent a part of it.
    """

    upload_id = models.CharField(max_length=128, unique=True)
    bucket = models.ForeignKey(Bucket, on_delete=models.CASCADE)
    key = KeyField()
    owner = models.CharField(max_length=64, default="root")
    initiated_at = models.DateTimeField()
    headers = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    tags = models.JSONField(default=dict)
    checksum_algorithm = models.CharField(max_length=9, blank=True)
    checksum_type = models.CharField(max_length=11, blank=True)

    class Meta:
        indexes = [models.Index(fields=["bucket", "key"], name="storage_upload_key")]

    def __str__(self) -> str:
        return f"{self.key} ({self.upload_id})"


class UploadOutcome(models.TextChoices):
    """How an upload ended."""

    COMPLETED = "completed", "Completed"
    ABORTED = "aborted", "Aborted"


class EndedUpload(models.Model):
    """That an upload is over, kept for a day.

    A client that repeats its CompleteMultipartUpload hears the same again, and a part that is
    late finds no upload, whichever node they come to.

    Attributes:
        is_confirmed: Whether the object reached as many nodes as the write mode asks for.
        untold: Members that have not heard yet that the upload is over.
    """

    upload_id = models.CharField(max_length=128, unique=True)
    outcome = models.CharField(max_length=9, choices=UploadOutcome.choices)
    result = models.JSONField(default=dict)
    ended_at = models.DateTimeField()
    is_confirmed = models.BooleanField(default=True)
    untold = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.upload_id}: {self.outcome}"


class UploadPart(models.Model):
    """One part of an upload; uploading a number again replaces it."""

    upload = models.ForeignKey(MultipartUpload, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    size_bytes = models.BigIntegerField()
    etag = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64, db_index=True)
    checksums = models.JSONField(default=dict)
    uploaded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="storage_part_number"),
        ]
        ordering = ["number"]

    def __str__(self) -> str:
        return f"part {self.number}"


class ClockShard(models.Model):
    """Sequence, log position and clock of one shard of the event log.

    Its row is updated in the transaction of each change, so numbers are gap-free and in commit
    order: a reader of the log that has seen n has seen everything before n. The row's lock also
    serialises the changes of one key.
    """

    shard = models.PositiveSmallIntegerField(primary_key=True)
    actor = models.BigIntegerField(unique=True)
    seq = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    hlc = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"shard {self.shard}"
