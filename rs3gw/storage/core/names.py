"""Which names a bucket may have: S3's rules, and the names that our own pages need."""

import re

RESERVED_NAMES = frozenset({"admin", "api", "metrics", "healthz", "static"})
_LABELS = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def check_bucket_name(name: str) -> str:
    """Return why a name cannot be a bucket's, "" when it can."""
    if not 3 <= len(name) <= 63:
        return "A bucket name has 3 to 63 characters."
    if not _LABELS.fullmatch(name):
        return (
            "A bucket name is made of lower-case letters, digits, hyphens and single dots, and "
            "begins and ends with a letter or digit."
        )
    if _ADDRESS.fullmatch(name):
        return "A bucket name cannot look like an IP address."
    if name in RESERVED_NAMES:
        return f"The name {name} is used by this server itself."
    return ""
