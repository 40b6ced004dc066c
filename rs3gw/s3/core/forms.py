"""Browser forms: a body of type multipart/form-data (RFC 7578), read as it arrives.

The fields before the file are small and are kept; the file is handed on piece by piece and ends
where the next boundary begins. What follows the file is ignored, as S3 does.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from rs3gw.s3.core.errors import S3Error

READ_BYTES = 256 * 1024
HEADER_BYTES_MAX = 8 * 1024
FIELDS_BYTES_MAX = 20 * 1024
POLICY_BYTES_MAX = 32 * 1024
FIELDS_MAX = 100
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,200})"|([^;,\s]{1,200}))""", re.IGNORECASE)
_NAME = re.compile(r"""[;\s]name=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))""", re.IGNORECASE)
_FILENAME = re.compile(r"""[;\s]filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))""", re.IGNORECASE)
_FILENAME_UTF8 = re.compile(r"""[;\s]filename\*=UTF-8'[^']*'([^;\s]+)""", re.IGNORECASE)
_CONTENT_TYPE = re.compile(r"^content-type:\s*(.*)$", re.IGNORECASE | re.MULTILINE)

Read = Callable[[int], bytes]


@dataclass(slots=True)
class Form:
    """A form up to its file.

    Attributes:
        fields: Values by lower-case name; of a name that comes twice the first one counts.
        filename: Name of the file on the sender's machine, without its path.
        content_type: Type of the file as its part says; "" when it says none.
        has_file: Whether there is a file.
        file: The bytes of the file; to be read once, to the end.
    """

    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""
    content_type: str = ""
    has_file: bool = False
    file: Iterator[bytes] = field(default_factory=lambda: iter(()))


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names.

    Raises:
        S3Error: PreconditionFailed: the body is not a form.
    """
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or not match:
        raise S3Error(
            "PreconditionFailed",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        )
    return (match[1] or match[2]).encode("latin-1", "replace")


def read_form(read: Read, boundary: bytes) -> Form:
    """Read a form up to the beginning of its file.

    Args:
        read: Returns up to so many bytes of the body, b"" at its end.
        boundary: As the Content-Type names it.

    Raises:
        S3Error: MalformedPOSTRequest; MaxPostPreDataLengthExceeded for too much before the file.
    """
    source = _Source(read, boundary)
    source.skip_preamble()
    form = Form()
    size_bytes = 0
    while source.begins_part():
        head = source.head()
        name = _field_name(head)
        if name == "file":
            form.has_file = True
            form.filename = _filename(head)
            type_match = _CONTENT_TYPE.search(head)
            form.content_type = type_match[1].strip() if type_match else ""
            form.file = source.content()
            return form
        limit = POLICY_BYTES_MAX if name == "policy" else FIELDS_BYTES_MAX
        value = source.value(limit)
        size_bytes += 0 if name == "policy" else len(value) + len(name)
        if size_bytes > FIELDS_BYTES_MAX or len(form.fields) >= FIELDS_MAX:
            raise _too_much()
        form.fields.setdefault(name, _text(value))
    return form


def _too_much() -> S3Error:
    return S3Error(
        "MaxPostPreDataLengthExceeded",
        f"Your POST request fields preceding the upload file exceeded {FIELDS_BYTES_MAX} bytes.",
    )


def _malformed(reason: str) -> S3Error:
    return S3Error(
        "MalformedPOSTRequest", f"The body of your POST request is not well-formed: {reason}."
    )


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("a field is not UTF-8") from None


def _unquoted(match: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2]


def _field_name(head: str) -> str:
    for line in head.split("\r\n"):
        if line.lower().startswith("content-disposition:"):
            match = _NAME.search(line)
            if match:
                return _unquoted(match).lower()
    raise _malformed("a part has no name")


def _filename(head: str) -> str:
    encoded, plain = _FILENAME_UTF8.search(head), _FILENAME.search(head)
    if encoded:
        name = unquote(encoded[1])
    elif plain:
        # Browsers on Windows once sent whole paths; their backslashes are no escapes.
        name = plain[1] if plain[1] is not None else plain[2]
    else:
        return ""
    return name.replace("\\", "/").rpartition("/")[2]


class _Source:
    """The body while it is read: what has arrived and was not used yet."""

    def __init__(self, read: Read, boundary: bytes) -> None:
        self._read = read
        self._delimiter = b"\r\n--" + boundary
        # The first boundary may begin the body: then no line ends before it.
        self._buffer = b"\r\n"
        self._is_over = False

    def _fill(self) -> None:
        more = self._read(READ_BYTES)
        if not more:
            raise S3Error("IncompleteBody", "The body of the form ended before its last boundary.")
        self._buffer += more

    def skip_preamble(self) -> None:
        """Go on behind the first boundary."""
        for _ in self.content():
            pass

    def begins_part(self) -> bool:
        """Return whether another part follows the boundary that was read last."""
        while len(self._buffer) < 2:
            self._fill()
        if self._buffer.startswith(b"--"):
            return False
        end = self._find(b"\r\n", HEADER_BYTES_MAX)
        self._buffer = self._buffer[end + 2 :]
        return True

    def _find(self, mark: bytes, limit_bytes: int) -> int:
        while (place := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit_bytes:
                raise _malformed("a header is too long")
            self._fill()
        return place

    def head(self) -> str:
        """Return the header lines of a part."""
        self._buffer = b"\r\n" + self._buffer
        end = self._find(b"\r\n\r\n", HEADER_BYTES_MAX)
        head, self._buffer = self._buffer[2:end], self._buffer[end + 4 :]
        return _text(head)

    def value(self, limit_bytes: int) -> bytes:
        """Return the content of a small part."""
        found = bytearray()
        for piece in self.content():
            found += piece
            if len(found) > limit_bytes:
                raise _too_much()
        return bytes(found)

    def content(self) -> Iterator[bytes]:
        """Yield what comes before the next boundary, and go on behind that."""
        keep = len(self._delimiter) - 1
        while (place := self._buffer.find(self._delimiter)) < 0:
            if len(self._buffer) > keep:
                piece, self._buffer = self._buffer[:-keep], self._buffer[-keep:]
                yield piece
            self._fill()
        piece = self._buffer[:place]
        self._buffer = self._buffer[place + len(self._delimiter) :]
        if piece:
            yield piece
