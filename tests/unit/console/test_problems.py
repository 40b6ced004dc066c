"""Which HTTP status an anticipated failure gets."""

import pytest

from replication.errors import ControlError, StaleEdit, WriteIndeterminate, WriteRefused
from rs3gw.console.api.problems import handle, status_of
from rs3gw.storage import errors


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NoSuchBucket(), 404),
        (errors.BucketAlreadyOwnedByYou(), 409),
        (errors.BucketNotEmpty(), 409),
        (StaleEdit(), 409),
        (ControlError("no"), 400),
        (WriteRefused(), 503),
        (WriteIndeterminate(version_id="null", acked=1, needed=2), 503),
    ],
)
def test_an_anticipated_failure_has_its_status_and_words(error, status):
    answer = handle(error, {})

    assert status_of(error) == status
    assert answer.status_code == status
    assert answer.data == {"code": error.code, "message": error.message}


def test_what_nobody_anticipated_is_not_hidden():
    assert handle(RuntimeError("bug"), {}) is None
