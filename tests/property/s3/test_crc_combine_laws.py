"""The CRC of a whole is that of its parts, combined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rs3gw.storage.core.checksums import new_hasher
from rs3gw.storage.core.crc_combine import ALGORITHMS, combine_all


def crc(algorithm, data):
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return hasher.base64()


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_parts_combine_to_the_whole(algorithm, parts):
    combined = combine_all(algorithm, [(crc(algorithm, part), len(part)) for part in parts])
    assert combined == crc(algorithm, b"".join(parts))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_large_parts_combine_too(algorithm):
    parts = [b"a" * 5_242_880, b"b" * 5_242_880, b"c" * 12_345]
    combined = combine_all(algorithm, [(crc(algorithm, part), len(part)) for part in parts])
    assert combined == crc(algorithm, b"".join(parts))
