"""CRCs of parts join to the CRC of the whole, as the library that computes them sees it."""

import pytest
from awscrt import checksums
from hypothesis import given
from hypothesis import strategies as st

from rs3gw.storage.core.crc_combine import CRCS, combine, combine_all

ALGORITHMS = sorted(CRCS)


def crc_of(algorithm, data):
    return getattr(checksums, algorithm)(data, 0)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(first=st.binary(max_size=300), second=st.binary(max_size=300))
def test_two_crcs_combine_to_that_of_the_whole(algorithm, first, second):
    joined = combine(algorithm, crc_of(algorithm, first), crc_of(algorithm, second), len(second))
    assert joined == crc_of(algorithm, first + second)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(texts=st.lists(st.binary(max_size=100), max_size=20))
def test_any_number_of_crcs_combines(algorithm, texts):
    parts = [(crc_of(algorithm, text), len(text)) for text in texts]
    assert combine_all(algorithm, parts) == crc_of(algorithm, b"".join(texts))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_long_texts_combine(algorithm):
    first, second = b"A" * (5 * 2**20), b"B" * (3 * 2**20 + 7)
    joined = combine(algorithm, crc_of(algorithm, first), crc_of(algorithm, second), len(second))
    assert joined == crc_of(algorithm, first + second)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(a=st.integers(0, 2**32 - 1), b=st.integers(0, 2**32 - 1), c=st.integers(0, 2**32 - 1),
       b_size=st.integers(0, 2**40), c_size=st.integers(0, 2**40))  # fmt: skip
def test_combining_is_associative_at_sizes_nobody_can_hash(algorithm, a, b, c, b_size, c_size):
    left = combine(algorithm, combine(algorithm, a, b, b_size), c, c_size)
    right = combine(algorithm, a, combine(algorithm, b, c, c_size), b_size + c_size)
    assert left == right
