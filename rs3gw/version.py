"""The version of rs3gw: the newest heading of CHANGELOG.md."""

import re
from pathlib import Path

_HEADING = re.compile(r"^## \[(\d+\.\d+\.\d+)\]", re.MULTILINE)


def read_version(changelog: str) -> str:
    """Return the newest version that a changelog names, "0.0.0" when it names none."""
    match = _HEADING.search(changelog)
    return match[1] if match else "0.0.0"


VERSION = read_version(
    (Path(__file__).resolve().parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
)
