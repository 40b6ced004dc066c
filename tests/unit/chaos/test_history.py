"""A body says which write it is of, and a changed one is recognised."""

import pytest

from tests.chaos.history import DamageError, body_of, value_of


@pytest.mark.parametrize("size_bytes", [30, 200, 90_000])
def test_a_body_names_its_write(size_bytes):
    body = body_of("v17", size_bytes)
    assert value_of(body) == "v17"
    assert len(body) == size_bytes


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: b"",
        lambda body: body[:-1],
        lambda body: body + b"x",
        lambda body: body[:500] + bytes([body[500] ^ 1]) + body[501:],
        lambda body: body[:500] + body_of("v18", 1000)[500:],
        lambda body: body.replace(b"v17", b"v18"),
    ],
    ids=["empty", "cut", "longer", "one bit", "mixed", "renamed"],
)
def test_a_changed_body_is_recognised(damage):
    with pytest.raises(DamageError):
        value_of(damage(body_of("v17", 1000)))
