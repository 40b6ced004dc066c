"""What a client is asked to do, and what it is given."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

COMMAND_SECONDS = 60


class CannotDo(Exception):
    """The client has no notion of this step; the text says why."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is, whom to be, and whom to trust."""

    url: str
    access_key: str
    secret_key: str
    region: str
    ca_file: str | None
    directory: Path

    @property
    def host(self) -> str:
        """Name and port."""
        return self.url.partition("://")[2]

    @property
    def virtual_url(self) -> str:
        """The address whose sub-domains are buckets."""
        return self.url.replace("localhost", "s3.localhost")

    @property
    def is_tls(self) -> bool:
        """Whether the server is reached by HTTPS."""
        return self.url.startswith("https")


@dataclass(frozen=True, slots=True)
class Listing:
    """Keys and common prefixes with the delimiter `/`; no prefixes when the client tells none."""

    keys: frozenset[str]
    prefixes: frozenset[str] | None = None


class Client(Protocol):
    """One client. Every method may raise `CannotDo`; any other error is a failure.

    A client that is `opaque` keeps what it is given in objects of its own making, so that nobody
    else can look for it under its key.
    """

    opaque: bool

    def version(self) -> str: ...

    def create_bucket(self, bucket: str) -> None: ...

    def put(self, bucket: str, key: str, body: bytes, metadata: dict[str, str]) -> None: ...

    def get(self, bucket: str, key: str) -> bytes: ...

    def metadata(self, bucket: str, key: str) -> dict[str, str]: ...

    def upload(self, bucket: str, key: str, path: Path) -> None: ...

    def download(self, bucket: str, key: str, path: Path) -> None: ...

    def read_range(self, bucket: str, key: str, first: int, last: int) -> bytes: ...

    def list(self, bucket: str, prefix: str) -> Listing: ...

    def copy(self, bucket: str, source: str, target: str) -> None: ...

    def presign(self, bucket: str, key: str) -> str: ...

    def delete(self, bucket: str, key: str) -> None: ...

    def delete_bucket(self, bucket: str) -> None: ...


class Program:
    """Runs commands without what the caller's shell says of AWS, and for a bounded time."""

    def __init__(self, env: dict[str, str] | None = None):
        inherited = {name: text for name, text in os.environ.items() if "AWS" not in name}
        self._env = {**inherited, **(env or {})}

    def run(self, command: list[str], stdin: bytes = b"") -> bytes:
        """Return what the command printed; fail with what it said when it exits non-zero."""
        done = subprocess.run(
            command,
            env=self._env,
            input=stdin,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise RuntimeError(f"{' '.join(command[-4:])} exited {done.returncode}: {said[-800:]}")
        return done.stdout
