"""Browser forms: a body of type multipart/form-data (RFC 7578), read as it arrives.

The fields before the file are small and are kept; the file is handed on piece by piece and ends
where the next boundary begins. What follows the file is ignored, as S3 does.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from rs3gw.s3.core.errors import S3Error

READ_BYTES = 256 * 1024
HEADER_BYTES_MAX = 8 * 1024
FIELDS_BYTES_MAX = 20 * 1024
POLICY_BYTES_MAX = 32 * 1024
FIELDS_MAX = 100
PADDING_BYTES_MAX = 16
_BOUNDARY = re.compile(r"""boundary=(?:"([^"]{1,200})"|([^;,\s]{1,200}))""", re.IGNORECASE)
_PARAMETER = re.compile(r""";\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))""")
# What makes a delimiter of a boundary; without it the boundary is a part of the content.
_DELIMITER_END = re.compile(rb"--|[ \t]{0,%d}\r\n" % PADDING_BYTES_MAX)
_CHARSETS = ("utf-8", "iso-8859-1")

Read = Callable[[int], bytes]


@dataclass(slots=True)
class Form:
    """A form up to its file.

    Attributes:
        fields: Values by lower-case name; of a name that comes twice the first one counts.
        filename: Name of the file on the sender's machine, without its path.
        has_file: Whether there is a file.
        file: The bytes of the file; to be read once, to the end.
    """

    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""
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
        parameters = _parameters(source.head())
        name = _field_name(parameters)
        if name == "file":
            form.has_file = True
            form.filename = _filename(parameters)
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


def _parameters(head: str) -> dict[str, str]:
    """Return the parameters of a part's Content-Disposition by lower-case name, as they stand."""
    for line in head.split("\r\n"):
        if line.lower().startswith("content-disposition:"):
            found: dict[str, str] = {}
            for match in _PARAMETER.finditer(line):
                value = match[2] if match[2] is not None else match[3]
                found.setdefault(match[1].lower(), value)
            return found
    return {}


def _field_name(parameters: Mapping[str, str]) -> str:
    name = re.sub(r"\\(.)", r"\1", parameters.get("name", ""))
    if not name:
        raise _malformed("a part has no name")
    return name.lower()


def _filename(parameters: Mapping[str, str]) -> str:
    # Browsers on Windows once sent whole paths: only a quote is escaped by a backslash.
    name = parameters.get("filename", "").replace('\\"', '"')
    charset, _, encoded = parameters.get("filename*", "").partition("'")
    if charset.lower() in _CHARSETS:
        name = unquote(encoded.partition("'")[2], encoding=charset)
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
        size_bytes = 0
        for piece in self.content():
            size_bytes += len(piece)
            if size_bytes > FIELDS_BYTES_MAX:
                raise _malformed("it does not begin with its boundary")

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
        """Yield what comes before the next delimiter, and go on behind its boundary."""
        keep = len(self._delimiter) - 1
        start = 0
        while True:
            place = self._buffer.find(self._delimiter, start)
            if place < 0:
                cut = max(0, len(self._buffer) - keep)
            elif self._ends_at(place):
                piece = self._buffer[:place]
                self._buffer = self._buffer[place + len(self._delimiter) :]
                if piece:
                    yield piece
                return
            elif self._is_undecided(place):
                cut = place
            else:
                start = place + 1
                continue
            if cut:
                piece, self._buffer = self._buffer[:cut], self._buffer[cut:]
                yield piece
            start = 0
            self._fill()

    def _ends_at(self, place: int) -> bool:
        return bool(_DELIMITER_END.match(self._buffer, place + len(self._delimiter)))

    def _is_undecided(self, place: int) -> bool:
        """Return whether what follows a boundary has not arrived far enough to judge it."""
        tail = self._buffer[place + len(self._delimiter) :][: PADDING_BYTES_MAX + 2]
        return tail in (b"", b"-") or (
            len(tail) <= PADDING_BYTES_MAX + 1 and not tail.rstrip(b"\r").strip(b" \t")
        )
