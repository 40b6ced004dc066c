"""What the names, e-mail addresses, keys and inline policies of users may look like."""

import re

from rs3gw.s3.core.errors import S3Error
from rs3gw.s3.core.policy import parse_user_policy

ROOT = "root"
USER_ID_CHARS_MAX = 64
DISPLAY_NAME_CHARS_MAX = 128
EMAIL_CHARS_MAX = 254
POLICY_NAME_CHARS_MAX = 128
POLICIES_MAX = 10
SECRET_CHARS_MAX = 256

_USER_ID = re.compile(r"[A-Za-z0-9_.@=+-]{1,64}")
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,189}")
_POLICY_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{3,128}")
_SECRET_KEY = re.compile(r"[ -~]{8,256}")
# A path with one of these names means another path.
_DOTS = frozenset({".", ".."})


def user_id_problem(user_id: str) -> str:
    """Return why a user id cannot be used, "" when it can."""
    if _USER_ID.fullmatch(user_id) and user_id not in _DOTS:
        return ""
    return "A user id has 1 to 64 letters, digits and characters of _.@=+-"


def display_name_problem(name: str) -> str:
    """Return why a display name cannot be used, "" when it can."""
    if 1 <= len(name) <= DISPLAY_NAME_CHARS_MAX and name.isprintable():
        return ""
    return f"A display name has 1 to {DISPLAY_NAME_CHARS_MAX} printable characters."


def email_problem(email: str) -> str:
    """Return why an e-mail address cannot be used, "" when it can; it may be blank."""
    if not email or (len(email) <= EMAIL_CHARS_MAX and _EMAIL.fullmatch(email)):
        return ""
    return "An e-mail address looks like name@example.com."


def policy_name_problem(name: str) -> str:
    """Return why an inline policy cannot have a name, "" when it can."""
    if _POLICY_NAME.fullmatch(name) and name not in _DOTS:
        return ""
    return "A policy's name has 1 to 128 letters, digits and characters of _+=,.@-"


def access_key_id_problem(access_key_id: str) -> str:
    """Return why a given access key id cannot be used, "" when it can."""
    if _ACCESS_KEY_ID.fullmatch(access_key_id) and access_key_id not in _DOTS:
        return ""
    return "An access key id has 3 to 128 letters, digits and characters of _.-"


def secret_key_problem(secret_key: str) -> str:
    """Return why a given secret cannot be used, "" when it can."""
    if _SECRET_KEY.fullmatch(secret_key):
        return ""
    return f"A secret access key has 8 to {SECRET_CHARS_MAX} printable ASCII characters."


def check_user_policy(text: str) -> None:
    """Check that a text can be a user's inline policy.

    Raises:
        S3Error: MalformedPolicy, with the reason.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise S3Error("MalformedPolicy", "The policy must be valid Unicode text.") from None
    parse_user_policy(text)
