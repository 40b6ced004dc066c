"""The examples of replication/README.md run as they stand."""

import re
from pathlib import Path

import pytest

from replication import services
from rs3gw.storage import blobs
from rs3gw.storage import services as storage
from rs3gw.storage.core.objects import ObjectHeaders

README = Path(__file__).resolve().parents[3] / "replication" / "README.md"


@pytest.mark.django_db(transaction=True)
def test_every_example_runs(capsys):
    storage.init_clock()
    bucket = services.create_bucket(name="test")
    entry = services.put_object(
        bucket=bucket, key="file.txt", body=blobs.stage([b"x" * 1024]), headers=ObjectHeaders()
    )
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {"etag": entry.etag}
    for example in examples:
        exec(compile(example, str(README), "exec"), names)
    assert len(examples) >= 7
    printed = capsys.readouterr().out
    assert "Events replicated: " in printed
    assert "P95 lag: " in printed
