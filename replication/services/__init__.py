"""The front door for changes: index row and event in one transaction, then the write mode."""

from replication.bodies import local_file, open_body
from replication.engine import preflight
from replication.services.buckets import (
    create_bucket,
    delete_bucket,
    delete_bucket_setting,
    get_bucket_setting,
    put_bucket_setting,
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
from replication.services.objects import copy_object, delete_object, put_object
from replication.services.uploads import (
    Completed,
    abort_upload,
    complete_upload,
    create_upload,
    find_upload,
    list_parts,
    list_uploads,
    put_part,
)

__all__ = [
    "Completed",
    "abort_upload",
    "complete_upload",
    "copy_object",
    "create_bucket",
    "create_upload",
    "delete_bucket",
    "delete_bucket_setting",
    "delete_object",
    "delete_region",
    "delete_register",
    "delete_rule",
    "find_upload",
    "get_bucket_setting",
    "list_parts",
    "list_uploads",
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
    "skip_parked",
]
