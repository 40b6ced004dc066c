"""The front door for changes: index row and event in one transaction, then the write mode."""

from replication.bodies import local_file, open_body
from replication.consistency import degraded_buckets, write_mode
from replication.core.consistency import BadConsistency, Consistency
from replication.core.consistency import make as make_consistency
from replication.core.tokens import MalformedToken, Token, parse_token
from replication.reading import wait_for
from replication.services.backpressure import get_backpressure, put_backpressure
from replication.services.buckets import (
    create_bucket,
    delete_bucket,
    delete_bucket_setting,
    get_bucket_setting,
    get_bucket_settings,
    get_consistency,
    put_bucket_setting,
    save_consistency,
)
from replication.services.control import (
    delete_region,
    delete_register,
    delete_rule,
    new_pairing_key,
    put_register,
    save_region,
    save_rule,
)
from replication.services.lanes import (
    pause_lane,
    resume_lane,
    retry_lane,
    retry_parked,
    skip_parked,
)
from replication.services.links import force_link, free_link, probe_link
from replication.services.objects import (
    Deleted,
    copy_object,
    delete_object,
    put_object,
    set_attribute,
)
from replication.services.quarantine import (
    accept_quarantined,
    discard_quarantined,
    evict_member,
)
from replication.services.reads import preflight, prepare_condition, prepare_read
from replication.services.uploads import (
    Completion,
    abort_upload,
    complete_upload,
    completed_before,
    find_upload,
    gather_parts,
    gather_uploads,
)
from rs3gw.storage.uploads import NewUpload, create_upload, put_part

__all__ = [
    "BadConsistency",
    "Consistency",
    "MalformedToken",
    "Token",
    "degraded_buckets",
    "get_consistency",
    "make_consistency",
    "parse_token",
    "prepare_condition",
    "prepare_read",
    "save_consistency",
    "wait_for",
    "write_mode",
    "accept_quarantined",
    "discard_quarantined",
    "evict_member",
    "Completion",
    "Deleted",
    "NewUpload",
    "completed_before",
    "find_upload",
    "gather_parts",
    "gather_uploads",
    "abort_upload",
    "complete_upload",
    "force_link",
    "free_link",
    "get_backpressure",
    "probe_link",
    "put_backpressure",
    "copy_object",
    "create_bucket",
    "create_upload",
    "delete_bucket",
    "delete_bucket_setting",
    "delete_object",
    "delete_region",
    "delete_register",
    "delete_rule",
    "get_bucket_setting",
    "get_bucket_settings",
    "local_file",
    "new_pairing_key",
    "open_body",
    "pause_lane",
    "preflight",
    "put_bucket_setting",
    "put_object",
    "put_part",
    "put_register",
    "resume_lane",
    "retry_lane",
    "retry_parked",
    "save_region",
    "save_rule",
    "set_attribute",
    "skip_parked",
]
