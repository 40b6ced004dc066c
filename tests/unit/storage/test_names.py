"""Names of buckets."""

import pytest

from rs3gw.storage.core.names import RESERVED_NAMES, check_bucket_name


@pytest.mark.parametrize("name", ["abc", "my-bucket", "my.bucket.2", "1st", "a" * 63])
def test_a_good_name_has_no_problem(name):
    assert check_bucket_name(name) == ""


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-a-",
        "abc-",
        ".abc",
        "a..b",
        "a.-b",
        "a-.b",
        "10.0.0.1",
        "ä-bucket",
        "new\nline",
        *RESERVED_NAMES,
    ],
)
def test_a_bad_name_has_its_problem_told(name):
    assert check_bucket_name(name)
