"""May this caller do this? What a request says and what is stored, as a question for the core."""

from dataclasses import dataclass
from functools import lru_cache

from replication import services
from rs3gw.s3 import bucket_config, directory
from rs3gw.s3.auth import Identity
from rs3gw.s3.core.access import Question, decide
from rs3gw.s3.core.acl import allows, without_public
from rs3gw.s3.core.acl_requests import acl_from_headers
from rs3gw.s3.core.actions import VERSION_ACTIONS, actions_of
from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import Policy, Principal, parse_user_policy
from rs3gw.s3.operations.acl import DIRECTORY
from rs3gw.s3.operations.buckets import bucket_of
from rs3gw.s3.operations.context import request_context, tag_context
from rs3gw.s3.operations.versions import find_kept, version_of
from rs3gw.s3.request import S3Request
from rs3gw.storage.core.objects import Entry
from rs3gw.storage.errors import NoSuchUpload
from rs3gw.storage.models import Bucket

# What is done to a key whoever owns what is stored there: the stored version need not be read.
_OF_BUCKET = frozenset({"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"})
_OF_UPLOAD = frozenset({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"})
# Checked key by key by the operation itself, or by nobody's bucket.
_CHECKED_ELSEWHERE = frozenset({"DeleteObjects", "PostObject"})
_NO_BUCKET = frozenset({"CreateBucket", "ListBuckets"})
# What a write asks for beside the write, by its headers.
_EXTRAS = {
    "x-amz-tagging": "s3:PutObjectTagging",
    "x-amz-acl": "s3:PutObjectAcl",
    "x-amz-grant-read": "s3:PutObjectAcl",
    "x-amz-grant-write": "s3:PutObjectAcl",
    "x-amz-grant-read-acp": "s3:PutObjectAcl",
    "x-amz-grant-write-acp": "s3:PutObjectAcl",
    "x-amz-grant-full-control": "s3:PutObjectAcl",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
}
# What a bucket's list lets whoever may write do with a new object.
_OF_WRITE_LIST = frozenset({"s3:PutObjectAcl", "s3:PutObjectTagging"})
_WRITES = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
_BYPASS = "x-amz-bypass-governance-retention"
DENIED = "Access Denied"


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is done to.

    Attributes:
        bucket: The bucket.
        key: "" for the bucket itself.
        version_id: None for the current version.
        prefix: The keys that a listing would be of; None for those that the request says.
    """

    bucket: Bucket
    key: str = ""
    version_id: str | None = None
    prefix: str | None = None


def check(request: S3Request, caller: Identity, operation: str) -> None:
    """Refuse an operation that its caller may not do.

    Raises:
        S3Error: AccessDenied.
        NoSuchBucket: There is no bucket to ask about.
    """
    if operation in _NO_BUCKET:
        if not _is_allowed_without_bucket(request, caller, operation):
            raise S3Error("AccessDenied", DENIED)
        return
    bucket = bucket_of(request)
    expected = request.headers.get("x-amz-expected-bucket-owner")
    if expected is not None and expected != bucket.owner:
        raise S3Error("AccessDenied", DENIED)
    if operation in _CHECKED_ELSEWHERE:
        return
    target = Target(bucket, request.target.key, version_of(request))
    for action in actions_of(operation, has_version=target.version_id is not None):
        require(request, caller, action, target)
    if operation in _WRITES:
        _check_extras(request, caller, target)
    if request.headers.get(_BYPASS, "").lower() == "true":
        require(request, caller, "s3:BypassGovernanceRetention", target)


def check_write(request: S3Request, caller: Identity) -> None:
    """Refuse a write that its caller may not do: that of a browser form.

    Raises:
        S3Error: AccessDenied.
    """
    target = Target(bucket_of(request), request.target.key)
    require(request, caller, "s3:PutObject", target)
    _check_extras(request, caller, target)


def _check_extras(request: S3Request, caller: Identity, target: Target) -> None:
    asked = {action for header, action in _EXTRAS.items() if header in request.headers}
    principal, _ = _who(caller)
    for action in sorted(asked):
        is_implied = not principal.is_user and (
            (action in _OF_WRITE_LIST and _may_write_by_list(principal, target.bucket))
            or (action == "s3:PutObjectAcl" and _keeps_to_owners(request, principal, target.bucket))
        )
        if not _decide(request, caller, action, target, is_implied=is_implied):
            raise S3Error("AccessDenied", DENIED)


def _may_write_by_list(principal: Principal, bucket: Bucket) -> bool:
    """Return whether the bucket's list, which knows no finer rights, lets somebody write."""
    config = bucket_config.of(bucket)
    acl = config.acl_of(bucket)
    if config.public_access_block.ignore_public_acls:
        acl = without_public(acl)
    return config.ownership != "BucketOwnerEnforced" and allows(acl, principal, "WRITE")


def _keeps_to_owners(request: S3Request, principal: Principal, bucket: Bucket) -> bool:
    """Return whether the list of a new object is for nobody but its writer and the bucket's owner.

    Bucket policies demand such lists of other accounts, which they let put objects and no more.
    """
    owner = principal.account or bucket.owner
    acl = acl_from_headers(
        request.headers, owner=owner, bucket_owner=bucket.owner, directory=DIRECTORY
    )
    return acl is not None and {g.grantee for g in acl.grants} <= {owner, bucket.owner}


def require(request: S3Request, caller: Identity, action: str, target: Target) -> None:
    """Refuse an action on a bucket or a key.

    Raises:
        S3Error: AccessDenied.
    """
    if not is_allowed(request, caller, action, target):
        raise S3Error("AccessDenied", DENIED)


def is_allowed(request: S3Request, caller: Identity, action: str, target: Target) -> bool:
    """Return whether a caller may do an action to a bucket or a key."""
    return _decide(request, caller, action, target)


def _decide(
    request: S3Request,
    caller: Identity,
    action: str,
    target: Target,
    *,
    is_implied: bool = False,
) -> bool:
    principal, policies = _who(caller)
    bucket = target.bucket
    config = bucket_config.of(bucket)
    owns_bucket = principal.account == bucket.owner and not principal.is_user
    if owns_bucket and config.policy is None and (not target.key or action in _OF_BUCKET):
        return True
    entry = _stored(request, action, target)
    needs_context = bool(policies) or config.policy is not None
    context = request_context(request, caller, target.version_id) if needs_context else {}
    if entry is not None and needs_context:
        context |= tag_context(entry.headers.tags)
    if target.prefix is not None:
        context["s3:prefix"] = (target.prefix,)
    question = Question(
        principal=principal,
        action=action,
        resource=_arn(bucket.name, target.key),
        bucket_owner=bucket.owner,
        user_policies=policies,
        context=context,
        object_owner=_object_owner(request, action, target, entry),
        bucket_policy=config.policy,
        bucket_acl=config.acl_of(bucket),
        object_acl=None if entry is None else bucket_config.acl_of_object(entry, bucket),
        public_access_block=config.public_access_block,
        ownership=config.ownership,
        is_implied=is_implied,
    )
    # Whoever may list a bucket, and nobody else, is told which keys it lacks.
    is_read = target.key and action.startswith("s3:Get")
    if is_read and (entry is None or entry.is_delete_marker) and not owns_bucket:
        return is_allowed(request, caller, "s3:ListBucket", Target(bucket, prefix=target.key))
    return decide(question)


def require_source(
    request: S3Request, caller: Identity, target: Target, entry: Entry | None
) -> None:
    """Refuse a copy from what its caller may not read.

    Raises:
        S3Error: AccessDenied.
    """
    expected = request.headers.get("x-amz-source-expected-bucket-owner")
    if expected is not None and expected != target.bucket.owner:
        raise S3Error("AccessDenied", DENIED)
    actions = ["s3:GetObject"]
    if entry is not None and entry.headers.tags:
        actions.append("s3:GetObjectTagging")
    for action in actions:
        versioned = VERSION_ACTIONS[action] if target.version_id is not None else action
        require(request, caller, versioned, target)


def _who(caller: Identity) -> tuple[Principal, tuple[Policy, ...]]:
    """Return a caller as policies know it, and its own policies."""
    facts = None if caller.is_anonymous else directory.user(caller.user_id)
    if facts is None:
        return Principal(caller.owner, caller.owner), ()
    # Named by id: names to show are not unique, and anyone may be given any.
    principal = Principal(facts.account_id, facts.user_id, facts.user_id)
    if facts.is_account():
        return principal, ()
    return principal, tuple(_user_policy(text) for _, text in facts.policies)


@lru_cache(maxsize=1024)
def _user_policy(text: str) -> Policy:
    return parse_user_policy(text)


def _is_allowed_without_bucket(request: S3Request, caller: Identity, operation: str) -> bool:
    principal, policies = _who(caller)
    [action] = actions_of(operation, has_version=False)
    name = request.target.bucket
    question = Question(
        principal=principal,
        action=action,
        resource=_arn(name, "") if name else "arn:aws:s3:::*",
        bucket_owner="",
        user_policies=policies,
        context=request_context(request, caller, None) if policies else {},
    )
    return decide(question)


def _stored(request: S3Request, action: str, target: Target) -> Entry | None:
    if not target.key or action in _OF_BUCKET or action in _OF_UPLOAD:
        return None
    return find_kept(request, target.bucket, target.key, target.version_id)


def _object_owner(request: S3Request, action: str, target: Target, entry: Entry | None) -> str:
    if action in _OF_UPLOAD:
        try:
            upload_id = request.query.get("uploadId", "")
            return services.find_upload(target.bucket, target.key, upload_id).owner
        except NoSuchUpload:
            return ""
    return "" if entry is None else entry.headers.owner or target.bucket.owner


def _arn(bucket_name: str, key: str) -> str:
    return f"arn:aws:s3:::{bucket_name}/{key}" if key else f"arn:aws:s3:::{bucket_name}"
