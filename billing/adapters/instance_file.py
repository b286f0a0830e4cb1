"""The instance file: what this machine has seen of its database, kept beside the vault key and apart from the database,
so that no copy and no backup of the database carries it along.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from billing.domain.errors import NotReady
from billing.domain.instances import Seen

_VERSION = 1
_SIZE_MAX = 4096
_OPEN_ONLY_ITSELF = os.O_NOFOLLOW | os.O_CLOEXEC


class InstanceFile:
    """The note at `path`; one line of JSON, mode 0600. Processes of one machine share it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Seen | None:
        """What was noted, None where nothing was yet. Raises `NotReady` for a file that cannot be trusted or read."""
        with self._directory() as directory:
            return self._read(directory)

    def note(self, seen: Seen) -> None:
        """Write it down, on disk when this returns; a higher mark of the same instance stays.

        Raises `NotReady` where that cannot be done.
        """
        with self._directory() as directory:
            # Several processes serve one database: none of them may take back what another has seen.
            fcntl.flock(directory, fcntl.LOCK_EX)
            known = self._read(directory)
            if known is None or known.instance != seen.instance or known.mark < seen.mark:
                self._replace(directory, seen)

    def _read(self, directory: int) -> Seen | None:
        try:
            descriptor = os.open(self._path.name, os.O_RDONLY | os.O_NONBLOCK | _OPEN_ONLY_ITSELF, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NotReady(f"the instance file {self._path} cannot be opened: {error.strerror}") from None
        with os.fdopen(descriptor, "rb") as file:
            self._check_closed(os.fstat(file.fileno()))
            return self._parsed(file.read(_SIZE_MAX))

    def _check_closed(self, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or mode & 0o077:
            raise NotReady(
                f"the instance file {self._path} must be a regular file of this user, closed to others:"
                f" chmod 600 {self._path}"
            )

    def _parsed(self, content: bytes) -> Seen:
        seen = _seen(content)
        if seen is None:
            raise NotReady(
                f"the instance file {self._path} is damaged; bring back a copy of it, or move it away and run"
                " `billing vault arm`"
            )
        return seen

    def _replace(self, directory: int, seen: Seen) -> None:
        assert seen.instance is not None, "a note is about an instance"
        fields = {
            "version": _VERSION,
            "instance": seen.instance.hex,
            "mark": seen.mark,
            "fingerprint": seen.fingerprint,
        }
        written = f"{self._path.name}.{os.getpid()}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _OPEN_ONLY_ITSELF
        try:
            descriptor = os.open(written, flags, 0o600, dir_fd=directory)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                os.fchmod(descriptor, 0o600)
                file.write(json.dumps(fields) + "\n")
                file.flush()
                os.fsync(descriptor)
            os.replace(written, self._path.name, src_dir_fd=directory, dst_dir_fd=directory)
            os.fsync(directory)
        except OSError as error:
            raise NotReady(
                f"the instance file {self._path} cannot be written: {error.strerror}; where the key lies on a"
                " read-only place, set vault.instance_file to another one"
            ) from None

    @contextmanager
    def _directory(self) -> Iterator[int]:
        parent = self._path.parent
        try:
            descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotReady(f"the directory {parent} of the instance file cannot be opened: {error.strerror}") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _seen(content: bytes) -> Seen | None:
    """The note in the file's bytes, None where they are no note."""
    try:
        fields: dict[str, Any] = json.loads(content)
        version, mark, fingerprint = fields["version"], fields["mark"], fields["fingerprint"]
        seen = Seen(UUID(fields["instance"]), mark, fingerprint)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    is_sound = version == _VERSION and type(mark) is int and mark >= 0 and type(fingerprint) is str
    return seen if is_sound else None
