"""How users and access keys that arrive from other nodes take effect here."""

from replication import registers
from rs3gw.s3.services import values
from rs3gw.s3.services.keys import apply_access_key
from rs3gw.s3.services.users import apply_user


def define_registers() -> None:
    """Tell the registers what to do with users and access keys."""
    registers.define(values.KEY_SCOPE, apply_access_key, keeps=values.revocation_stays)
    registers.define(values.USER_SCOPE, apply_user, keeps=values.revocation_stays)
