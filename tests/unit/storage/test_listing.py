"""Order and grouping of keys."""

from hypothesis import given
from hypothesis import strategies as st

from rs3gw.storage.core import listing

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(text.filter(bool), text)
def test_every_extension_of_a_prefix_lies_below_its_successor(prefix, rest):
    after = listing.successor(prefix)
    if after is not None:
        assert (prefix + rest).encode() < after.encode()


@given(text.filter(bool), text)
def test_nothing_lies_between_the_extensions_of_a_prefix_and_its_successor(prefix, other):
    after = listing.successor(prefix)
    if not other.startswith(prefix) and other.encode() > prefix.encode():
        assert after is not None
        assert other.encode() >= after.encode()


def test_a_group_ends_with_the_first_delimiter_after_the_prefix():
    assert listing.common_prefix("a/b/c", "a/", "/") == "a/b/"
    assert listing.common_prefix("a/b", "a/", "/") is None
    assert listing.common_prefix("a--b--c", "", "--") == "a--"
    assert listing.common_prefix("a/b", "", "") is None


def test_a_full_page_says_that_there_is_more():
    page = listing.Page(keys_max=1)
    assert page.add_entry("a", 1)
    assert not page.is_truncated
    assert not page.add_group("b/")
    assert page.is_truncated
    assert page.next_start_after == "a"
