"""Entity tags as S3 makes them."""

import hashlib
from collections.abc import Sequence


def multipart_etag(part_md5s_hex: Sequence[str]) -> str:
    """Return the tag of an object in parts: the MD5 of the parts' MD5s, and their number."""
    joined = b"".join(bytes.fromhex(md5_hex) for md5_hex in part_md5s_hex)
    digest = hashlib.md5(joined, usedforsecurity=False).hexdigest()
    return f"{digest}-{len(part_md5s_hex)}"
