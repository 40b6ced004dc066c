"""Whether a request is allowed: policies, access control lists and ownership together.

An explicit Deny in any document decides. Otherwise somebody must allow: inside the account that
owns the bucket, the account itself needs nothing more and its users a policy; for other accounts
and for anonymous requests it is the bucket that must allow, by its policy or by a list. The
policy of a bucket speaks for the objects its owner owns; others' objects follow their own list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rs3gw.s3.core.acl import Acl, allows, without_public
from rs3gw.s3.core.ownership import Ownership, PublicAccessBlock
from rs3gw.s3.core.policy_model import Ask, Decision, Policy, Principal, is_public

_OWNER_KEEPS = frozenset({"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"})
# What an account does where no bucket is meant, or none is yet.
_OF_ACCOUNT = frozenset({"s3:CreateBucket", "s3:ListAllMyBuckets"})
_OF_INITIATOR = frozenset({"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"})
# Done to a key by the right of the bucket, whoever owns what is stored there.
_OF_BUCKET = _OF_INITIATOR | {
    "s3:BypassGovernanceRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutObject",
    "s3:ReplicateDelete",
    "s3:ReplicateObject",
    "s3:ReplicateTags",
    "s3:RestoreObject",
}
BUCKET_PERMISSIONS: Mapping[str, str] = {
    "s3:ListBucket": "READ",
    "s3:ListBucketVersions": "READ",
    "s3:ListBucketMultipartUploads": "READ",
    "s3:PutObject": "WRITE",
    "s3:DeleteObject": "WRITE",
    "s3:DeleteObjectVersion": "WRITE",
    "s3:GetBucketAcl": "READ_ACP",
    "s3:PutBucketAcl": "WRITE_ACP",
}
OBJECT_PERMISSIONS: Mapping[str, str] = {
    "s3:GetObject": "READ",
    "s3:GetObjectVersion": "READ",
    "s3:GetObjectTorrent": "READ",
    "s3:GetObjectVersionTorrent": "READ",
    "s3:GetObjectAcl": "READ_ACP",
    "s3:GetObjectVersionAcl": "READ_ACP",
    "s3:PutObjectAcl": "WRITE_ACP",
    "s3:PutObjectVersionAcl": "WRITE_ACP",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, of whom, and all that may answer.

    Args:
        principal: Who asks: anonymous, an account, or a user of one.
        action: "s3:GetObject".
        resource: The ARN.
        bucket_owner: The account of the bucket; "" only for listing and creating buckets, where
            there is none: everything else is then refused.
        user_policies: Of the user; not asked when the account itself asks.
        context: Values by lower-case key, e.g. "aws:sourceip".
        object_owner: The account of the object, or of who began the multipart upload; ""
            when the action is on a bucket or there is no such object.
        bucket_policy: None without one.
        bucket_acl: None when it is not known: then it grants nothing.
        object_acl: None when the action is on a bucket or there is no such object.
        public_access_block: The stricter of the bucket's and its account's.
        ownership: Of the objects of the bucket.
        is_implied: The action only goes with one that is allowed: nothing need allow it too.
    """

    principal: Principal
    action: str
    resource: str
    bucket_owner: str
    user_policies: tuple[Policy, ...] = ()
    context: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    object_owner: str = ""
    bucket_policy: Policy | None = None
    bucket_acl: Acl | None = None
    object_acl: Acl | None = None
    public_access_block: PublicAccessBlock = PublicAccessBlock()
    ownership: Ownership = "BucketOwnerEnforced"
    is_implied: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether who asks belongs to the account of the bucket."""
        owner, account = self.bucket_owner, self.principal.account
        return bool(account) and (owner == account or (not owner and self.action in _OF_ACCOUNT))

    @property
    def is_of_bucket_owner(self) -> bool:
        """Whether the action is the bucket owner's to permit, not that of an object's owner."""
        if self.ownership == "BucketOwnerEnforced" or self.action in _OF_BUCKET:
            return True
        return self.object_owner in ("", self.bucket_owner)


def decide(question: Question) -> bool:
    """Return whether the request is allowed."""
    principal = question.principal
    if question.is_inside and not principal.is_user and question.action in _OWNER_KEEPS:
        return True
    by_user, by_bucket = _by_user(question), _by_bucket(question)
    if "deny" in (by_user, by_bucket) or _is_restricted(question):
        return False
    if question.is_implied:
        return True
    by_identity = by_user == "allow" if principal.is_user else not principal.is_anonymous
    if not question.is_of_bucket_owner:
        owns = bool(principal.account) and principal.account == question.object_owner
        granted = _is_granted(question.object_acl, OBJECT_PERMISSIONS, question)
        return (principal.is_anonymous or by_identity) and (owns or granted)
    if question.is_inside:
        return by_identity or by_bucket == "allow"
    return (principal.is_anonymous or by_identity) and (
        by_bucket == "allow" or _is_own_upload(question) or _is_in_lists(question)
    )


def _ask(question: Question, *, by_name: bool = False) -> Ask:
    context = dict(question.context)
    if question.bucket_owner:
        context["aws:resourceaccount"] = (question.bucket_owner,)
    return Ask(question.principal, question.action, question.resource, context, by_name)


def _by_user(question: Question) -> Decision:
    """Return what the policies of the user say together."""
    if not question.principal.is_user:
        return "none"
    ask = _ask(question)
    found = {policy.decide(ask) for policy in question.user_policies}
    if "deny" in found:
        return "deny"
    return "allow" if "allow" in found else "none"


def _by_bucket(question: Question) -> Decision:
    if question.bucket_policy is None:
        return "none"
    return question.bucket_policy.decide(_ask(question, by_name=question.is_inside))


def _is_restricted(question: Question) -> bool:
    """Return whether RestrictPublicBuckets refuses everybody outside the account."""
    if not question.public_access_block.restrict_public_buckets or question.is_inside:
        return False
    return question.bucket_policy is not None and is_public(question.bucket_policy)


def _is_own_upload(question: Question) -> bool:
    account = question.principal.account
    own = bool(account) and account == question.object_owner
    return own and question.action in _OF_INITIATOR


def _is_in_lists(question: Question) -> bool:
    """Return whether the list of the bucket or of the object grants the action."""
    return _is_granted(question.bucket_acl, BUCKET_PERMISSIONS, question) or _is_granted(
        question.object_acl, OBJECT_PERMISSIONS, question
    )


def _is_granted(acl: Acl | None, permissions: Mapping[str, str], question: Question) -> bool:
    permission = permissions.get(question.action)
    if acl is None or permission is None or question.ownership == "BucketOwnerEnforced":
        return False
    if question.public_access_block.ignore_public_acls:
        acl = without_public(acl)
    return allows(acl, question.principal, permission)
