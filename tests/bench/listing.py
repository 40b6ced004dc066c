"""Pages of listings: does a page of a bucket cost what it holds, or what the bucket holds?"""

import http.client
import sqlite3
import statistics
import time

from tests.bench.servers import Node
from tests.crash.client import Client, signed_headers, target_of

FEW, MANY = "few", "many"
FEW_KEYS = 1000
GROUPS = 1000
PAGE_KEYS = 1000
REPEATS = 5
MODEL_KEY = "g0000/0000000"
# Page by name: whether its keys are grouped by a delimiter.
PAGES = {"1000 keys": False, "1000 groups": True}


def fill(path, bucket_id, count):
    """Write version rows as copies of the bucket's first one, straight into the database.

    The keys fall into `GROUPS` groups of the same size.
    """
    connection = sqlite3.connect(path)
    names = [row[1] for row in connection.execute("PRAGMA table_info(storage_objectversion)")]
    names.remove("id")
    marks = ", ".join("?" * len(names))
    columns = ", ".join(names)
    model = connection.execute(
        f"SELECT {columns} FROM storage_objectversion WHERE bucket_id = ?", (bucket_id,)
    ).fetchone()
    row = dict(zip(names, model, strict=True))

    def rows():
        for number in range(1, count):
            group = number * GROUPS // count
            # Dots of a writer that does not exist: they take no number from this node's log.
            yield tuple(
                (
                    row | {"key": f"g{group:04d}/{number:07d}", "actor": bucket_id, "seq": number}
                ).values()
            )

    with connection:
        connection.executemany(
            f"INSERT INTO storage_objectversion ({columns}) VALUES ({marks})", rows()
        )
    connection.close()


def _page_seconds(port, bucket, *, is_grouped):
    query = [("list-type", "2"), ("max-keys", str(PAGE_KEYS))]
    if is_grouped:
        query.append(("delimiter", "/"))
    path, text = target_of(bucket, "", query)
    headers = signed_headers("GET", f"127.0.0.1:{port}", path, text, {})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.connect()
    began = time.perf_counter()
    connection.request("GET", f"{path}?{text}", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - began
    connection.close()
    assert answer.status == 200, body
    wanted = b"<CommonPrefixes>" if is_grouped else b"<Contents>"
    assert body.count(wanted) == PAGE_KEYS, body[:400]
    return seconds


def compare(keys, rounds):
    """Return, by page and bucket, the median seconds of a page."""
    node = Node()
    try:
        client = Client(node.port)
        for bucket in (FEW, MANY):
            client.ask("PUT", bucket)
            client.ask("PUT", bucket, MODEL_KEY, body=b"x" * 100)
        client.close()
        node.stop()
        path = node.directory / "rs3gw.sqlite3"
        connection = sqlite3.connect(path)
        buckets = dict(connection.execute("SELECT name, id FROM storage_bucket").fetchall())
        connection.close()
        fill(path, buckets[FEW], FEW_KEYS)
        fill(path, buckets[MANY], keys)
        node.start()
        found = {}
        for _ in range(rounds * REPEATS):
            for name, is_grouped in PAGES.items():
                for bucket in (FEW, MANY):
                    seconds = _page_seconds(node.port, bucket, is_grouped=is_grouped)
                    found.setdefault(name, {}).setdefault(bucket, []).append(seconds)
    finally:
        node.stop()
    return {
        name: {bucket: statistics.median(values) for bucket, values in pages.items()}
        for name, pages in found.items()
    }
