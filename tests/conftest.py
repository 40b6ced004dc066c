"""What all tests share."""

import shutil

import pytest

from tests.environment import DATA_DIR


@pytest.fixture(autouse=True)
def _fresh_node(request):
    """Leave nothing of a test's node to the next: no bodies, no cached identity."""
    yield
    if not {"db", "transactional_db"} & set(request.fixturenames):
        return
    from cluster import conf, selectors
    from cluster.services import observer
    from replication import backlog, links, pacing
    from rs3gw.common import identity
    from rs3gw.s3 import bucket_config
    from rs3gw.storage import services

    for forget in (
        conf.forget,
        selectors.forget,
        observer.forget,
        links.forget,
        pacing.forget,
        backlog.forget,
    ):
        forget()
    services.shard_count.cache_clear()
    identity.load.cache_clear()
    bucket_config._kept.clear()
    for name in ("blobs", "trash", "incoming"):
        shutil.rmtree(DATA_DIR / name, ignore_errors=True)
