"""A form is the same however its body arrives."""

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from rs3gw.s3.core.forms import read_form

BOUNDARY = b"b0"
PIECES = st.lists(
    st.sampled_from([b"\r\n", b"--", b"b0", b"\r\n--b", b"\r\n--b0", b"x", b"\r", b" ", b"-"]),
    max_size=12,
)
DELIMITER = re.compile(rb"\r\n--b0(--|[ \t]{0,16}\r\n)")


@given(PIECES.map(b"".join), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_a_file_is_what_was_sent_however_it_arrives(content, steps):
    assume(DELIMITER.search(b"\r\n" + content + b"\r\n--b0--").end() == len(content) + 10)
    head = b"--b0\r\nContent-Disposition: form-data; name="
    body = head + b"key\r\n\r\nk\r\n" + head + b"file\r\n\r\n" + content + b"\r\n--b0--"
    position = turn = 0

    def read(_):
        nonlocal position, turn
        step = steps[turn % len(steps)]
        turn += 1
        piece = body[position : position + step]
        position += step
        return piece

    form = read_form(read, BOUNDARY)
    assert form.fields == {"key": "k"}
    assert b"".join(form.file) == content
