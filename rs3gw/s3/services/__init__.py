"""Users and access keys: made on one node, valid on all."""

from rs3gw.s3.services.keys import (
    PURPOSE,
    AccessKeyError,
    apply_access_key,
    create_access_key,
    delete_access_key,
    disable_access_key,
    enable_access_key,
    secret_of,
)
from rs3gw.s3.services.scopes import define_registers
from rs3gw.s3.services.users import (
    NoSuchUser,
    NoSuchUserPolicy,
    UserConflict,
    UserError,
    apply_user,
    create_user,
    delete_user,
    delete_user_policy,
    get_user,
    put_user_policy,
    update_user,
)

__all__ = [
    "PURPOSE",
    "AccessKeyError",
    "NoSuchUser",
    "NoSuchUserPolicy",
    "UserConflict",
    "UserError",
    "apply_access_key",
    "apply_user",
    "create_access_key",
    "create_user",
    "define_registers",
    "delete_access_key",
    "delete_user",
    "delete_user_policy",
    "disable_access_key",
    "enable_access_key",
    "get_user",
    "put_user_policy",
    "secret_of",
    "update_user",
]
