"""Peer view: which bodies this node holds, and will go on holding."""

import json
import re
from collections.abc import Mapping, Sequence

from django.http import HttpRequest, HttpResponse, JsonResponse

from cluster.peer.auth import signed
from replication.core.healing import says_held
from replication.models import DropMark, HealingItem
from rs3gw.storage import blobs, rows, upkeep

NAMED_MAX = 500
_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@signed(body="hash", scopes=("cluster",))
def blobs_held(request: HttpRequest) -> HttpResponse:
    """Answer which of the named bodies are `present` here, and which are `held` for good."""
    try:
        named = json.loads(request.peer_body)["bodies"][:NAMED_MAX]  # type: ignore[attr-defined]
        wanted = {str(sha256): int(size_bytes) for sha256, size_bytes in named}
    except (ValueError, KeyError, TypeError):
        message = "Send {'bodies': [[sha256, size], ...]}."
        return JsonResponse({"code": "MalformedRequest", "message": message}, status=400)
    return JsonResponse(holding_of(wanted))


def holding_of(wanted: Mapping[str, int]) -> dict[str, list[str]]:
    """Return which of these bodies, given with their sizes, lie here and which are held."""
    names = [sha256 for sha256 in wanted if _SHA256.match(sha256)]
    # The marks are read before the disk is looked at; the order matters.
    unsure = _unsure(names)
    present = [sha256 for sha256 in names if _is_present(sha256, wanted[sha256])]
    held = [
        sha256
        for sha256 in present
        if says_held(
            is_marked=sha256 in unsure,
            is_on_disk=blobs.file_path(sha256).exists(),
            is_named=upkeep.is_held(sha256),
        )
    ]
    return {"held": held, "present": present}


def _unsure(names: Sequence[str]) -> set[str]:
    """Return those that are about to be dropped, are missing, or may be damaged."""
    marked = DropMark.objects.filter(sha256__in=names).values_list("sha256", flat=True)
    ailing = HealingItem.objects.filter(sha256__in=names).values_list("sha256", flat=True)
    return {*marked, *ailing}


def _is_present(sha256: str, size_bytes: int) -> bool:
    found_bytes = blobs.stored_bytes(sha256)
    if found_bytes is None:
        inline = rows.read_inline(sha256)
        found_bytes = None if inline is None else len(inline)
    return found_bytes == size_bytes
