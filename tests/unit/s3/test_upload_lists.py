"""Pages of uploads in groups, from lists that come in batches."""

from types import SimpleNamespace

import pytest

from rs3gw.s3.operations import multipart
from rs3gw.storage.core import listing

BATCH = 3


class Uploads:
    """Sorted uploads as all nodes together list them."""

    def __init__(self, keys):
        self.rows = [
            SimpleNamespace(key=key, upload_id=f"{number:03}")
            for number, key in enumerate(sorted(keys))
        ]
        self.questions = 0

    def gather(self, bucket, *, prefix, key_marker, id_marker, limit):
        self.questions += 1
        behind = [
            row
            for row in self.rows
            if row.key.startswith(prefix)
            and (row.key > key_marker or (id_marker and (row.key, row.upload_id) > (
                key_marker, id_marker)))
        ]  # fmt: skip
        return behind[: limit + 1]


@pytest.fixture
def fill(monkeypatch):
    monkeypatch.setattr(multipart, "PAGE_MAX", BATCH)
    monkeypatch.setattr(multipart, "bucket_of", lambda request: None)

    def run(uploads, limit, key_marker="", id_marker=""):
        monkeypatch.setattr(multipart.services, "gather_uploads", uploads.gather)
        page = listing.Page(keys_max=limit)
        multipart._fill(None, page, "", "/", key_marker, id_marker)
        return page

    return run


def test_a_large_group_is_left_at_once(fill):
    uploads = Uploads([f"a/{number:04}" for number in range(1000)] + ["b"])
    page = fill(uploads, 10)
    assert page.common_prefixes == ["a/"]
    assert [row.key for row in page.entries] == ["b"]
    assert uploads.questions == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
def test_pages_hold_every_key_and_group_once(fill, limit):
    keys = ["a/1", "a/2", "a/3", "a/4", "b", "b", "c/1", "c/\U0010ffff", "d", "e/x/y"]
    uploads = Uploads(keys)
    found, groups, marker = [], [], ("", "")
    while True:
        page = fill(uploads, limit, *marker)
        found += [(row.key, row.upload_id) for row in page.entries]
        groups += page.common_prefixes
        if not page.is_truncated:
            break
        last = found[-1] if found and found[-1][0] == page.next_start_after else None
        marker = last or (page.next_start_after, "")
    assert [key for key, _ in found] == ["b", "b", "d"]
    assert groups == ["a/", "c/", "e/"]
