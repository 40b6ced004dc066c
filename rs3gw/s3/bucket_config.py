"""What a bucket's settings mean, read once for each change of them.

Every request asks for them, so what was parsed is kept for as long as the revision in the bucket's
row, which each request reads anyway, stays the same.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from replication import backlog, services
from replication.core.backpressure import BackpressureLimits, limits_from_json
from rs3gw.s3.core.acl import Acl, canned_acl
from rs3gw.s3.core.acl import from_json as acl_from_json
from rs3gw.s3.core.cors import CorsRule
from rs3gw.s3.core.cors import from_json as cors_from_json
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.lifecycle import LifecycleRule
from rs3gw.s3.core.lifecycle_writer import from_json as lifecycle_from_json
from rs3gw.s3.core.locks import LockConfiguration, parse_configuration
from rs3gw.s3.core.ownership import (
    Ownership,
    PublicAccessBlock,
    parse_ownership,
    parse_public_access_block,
)
from rs3gw.s3.core.policy import Policy, parse_bucket_policy
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.models import Bucket

KEPT_MAX = 10_000
DENY_ALL = '{"Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}}'
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketConfig:
    """A bucket's settings.

    Attributes:
        texts: All settings as they were put, by name.
        lock: Its object lock; None where that is off.
        policy: Who may do what; None without one.
        acl: Its access control list; None where none was set.
        ownership: Who owns what is written to it.
        public_access_block: What is refused although a policy or list allows it.
        cors: Its cross-origin rules.
        lifecycle: Its lifecycle rules.
        backpressure: What its writers feel of a backlog.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    lock: LockConfiguration | None = None
    policy: Policy | None = None
    acl: Acl | None = None
    ownership: Ownership = "ObjectWriter"
    public_access_block: PublicAccessBlock = PublicAccessBlock()
    cors: tuple[CorsRule, ...] = ()
    lifecycle: tuple[LifecycleRule, ...] = ()
    backpressure: BackpressureLimits = BackpressureLimits()

    def acl_of(self, bucket: Bucket) -> Acl:
        """Return the bucket's access control list; private where none was set."""
        owner = bucket.owner
        return self.acl or canned_acl("private", owner=owner, bucket_owner=owner)


def acl_of_object(entry: Entry, bucket: Bucket) -> Acl:
    """Return the access control list of an object; private where none was set."""
    if entry.headers.acl:
        return acl_from_json(entry.headers.acl)
    owner = entry.headers.owner or bucket.owner
    return canned_acl("private", owner=owner, bucket_owner=bucket.owner)


_kept: dict[int, tuple[int, BucketConfig]] = {}


def of(bucket: Bucket) -> BucketConfig:
    """Return the settings of a bucket as its row, just read, says they are."""
    known = _kept.get(bucket.pk)
    if known is not None and known[0] == bucket.settings_revision:
        return known[1]
    config = _compile(bucket.name, services.get_bucket_settings(bucket))
    if len(_kept) >= KEPT_MAX:
        _kept.clear()
    _kept[bucket.pk] = (bucket.settings_revision, config)
    return config


def _policy(text: str, bucket_name: str) -> Policy:
    """Return a policy; one that this version cannot read denies all but changing it.

    It was put on a node of another version. What it meant to deny must not be allowed here.
    """
    try:
        return parse_bucket_policy(text, bucket=bucket_name)
    except S3Error as error:
        logger.error("the policy of bucket %s cannot be read: %s", bucket_name, error)  # noqa: TRY400
        return parse_bucket_policy(DENY_ALL, bucket=bucket_name)


def _backpressure(text: str, bucket_name: str) -> BackpressureLimits:
    """Return limits; the cluster's for a setting of another version that cannot be read."""
    try:
        return limits_from_json(json.loads(text), backlog.default_limits())
    except ValueError as error:
        logger.error("the backpressure of %s cannot be read: %s", bucket_name, error)  # noqa: TRY400
        return backlog.default_limits()


def _compile(bucket_name: str, texts: Mapping[str, str]) -> BucketConfig:
    lock, acl, policy = texts.get("object_lock"), texts.get("acl"), texts.get("policy")
    block = texts.get("public_access_block")
    return BucketConfig(
        texts=texts,
        lock=None if lock is None else parse_configuration(lock.encode()),
        policy=None if policy is None else _policy(policy, bucket_name),
        acl=None if acl is None else acl_from_json(json.loads(acl)),
        ownership=parse_ownership(texts.get("ownership", "ObjectWriter")),
        public_access_block=(
            PublicAccessBlock() if block is None else parse_public_access_block(block.encode())
        ),
        cors=cors_from_json(json.loads(texts.get("cors", "[]"))),
        backpressure=_backpressure(texts.get("backpressure", "{}"), bucket_name),
        lifecycle=lifecycle_from_json(json.loads(texts.get("lifecycle", '{"rules": []}'))["rules"]),
    )
