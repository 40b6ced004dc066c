"""Say briefly what differs."""


def same(found, wanted, what):
    """Fail, saying what differs, unless both are equal."""
    if found != wanted:
        if isinstance(found, bytes) and isinstance(wanted, bytes):
            found = f"{len(found)} bytes {found[:40]!r}"
            wanted = f"{len(wanted)} bytes {wanted[:40]!r}"
        raise AssertionError(f"{what}: found {found}, expected {wanted}")
