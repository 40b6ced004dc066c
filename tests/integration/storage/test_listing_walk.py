"""Listing walks the index in byte order and never reads what it skips."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rs3gw.storage import rows, selectors, walks
from rs3gw.storage.models import Bucket, ObjectVersion

KEYS = ["a", "a/b", "a/c", "a+", "b/d/e", "b/f", "c", "z", "é", "𐍈", "//", "..", "%2F"]


@pytest.fixture
def full(bucket, put):
    for key in KEYS:
        put(key)
    return bucket


def walk(bucket, **options):
    """Return all items of a listing, page by page."""
    items, start_after = [], ""
    while True:
        page = selectors.list_keys(bucket=bucket, start_after=start_after, **options)
        names = [entry.key for entry in page.entries] + page.common_prefixes
        items += sorted(names, key=str.encode)
        if not page.is_truncated:
            return items
        start_after = page.next_start_after


def test_keys_come_in_the_order_of_their_bytes(full):
    assert walk(full) == sorted(KEYS, key=str.encode)


@pytest.mark.parametrize("max_keys", [1, 2, 3, 1000])
def test_pages_add_up_to_the_whole(full, max_keys):
    assert walk(full, max_keys=max_keys) == sorted(KEYS, key=str.encode)


@pytest.mark.parametrize("max_keys", [1, 2, 1000])
def test_groups_are_given_once(full, max_keys):
    expected = sorted({k.partition("/")[0] + "/" if "/" in k else k for k in KEYS}, key=str.encode)
    assert walk(full, delimiter="/", max_keys=max_keys) == expected


def test_a_prefix_limits_the_walk(full):
    assert walk(full, prefix="a") == ["a", "a+", "a/b", "a/c"]
    assert walk(full, prefix="b/", delimiter="/") == ["b/d/", "b/f"]
    assert walk(full, prefix="nothing") == []


def test_a_deleted_key_is_not_listed(full):
    ObjectVersion.objects.filter(key="c").update(state="tombstone")
    assert "c" not in walk(full)


def test_a_large_group_costs_one_seek(bucket, put):
    for number in range(30):
        put(f"logs/{number:03}")
    put("zebra")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = selectors.list_keys(bucket=bucket, delimiter="/", max_keys=5)
    assert page.common_prefixes == ["logs/"]
    assert [entry.key for entry in page.entries] == ["zebra"]
    assert len(queries) <= 3


def test_many_large_groups_cost_few_rows(bucket, put, monkeypatch):
    model = put("g00/000")
    row = ObjectVersion.objects.get(pk=model.row_id)
    ObjectVersion.objects.bulk_create(
        replaced(row, key=f"g{group:02}/{number:03}", actor=7, seq=1000 * group + number)
        for group in range(20)
        for number in range(1, 200)
    )
    converted, convert = [], rows.to_entry
    monkeypatch.setattr(rows, "to_entry", lambda row: converted.append(row) or convert(row))
    page = selectors.list_keys(bucket=bucket, delimiter="/")
    assert page.common_prefixes == [f"g{group:02}/" for group in range(20)]
    assert len(converted) <= walks.BATCH_ROWS + 20 * 20


def replaced(row, **values):
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return ObjectVersion(**fields | {"id": None} | values)


def test_a_bucket_read_by_statement_is_the_one_the_orm_reads(bucket):
    fast = selectors.get_bucket(bucket.name)
    slow = Bucket.objects.get(pk=bucket.pk)
    for field in Bucket._meta.concrete_fields:
        assert getattr(fast, field.attname) == getattr(slow, field.attname), field.name
