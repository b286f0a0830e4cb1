"""The key file: made once, never overwritten, and refused unless it and its directory are closed to others."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from billing.adapters.keys_local import Flaw, LocalKey, LocalKeys, new_keys, parsed, sound, text_of
from billing.domain.errors import NotReady

_SIZE_MAX = 256 * 1024
_CLOSED = (0o400, 0o600)
_OPEN_ONLY_ITSELF = os.O_NOFOLLOW | os.O_CLOEXEC


class FileKeys(LocalKeys):
    """The keys of the file at `path`. Raises `NotReady` saying what is wrong, where, and what would be right."""

    def __init__(self, path: Path, random: Callable[[int], bytes] = os.urandom) -> None:
        super().__init__(sound(_read(path), f"the key file {path}"), random)


def create_key_file(path: Path, random: Callable[[int], bytes]) -> None:
    """Write a new set of keys to `path`, on disk when this returns; mode 0600.

    Raises `NotReady` when anything is there already (it is never overwritten) or the directory is not fit.
    """
    keys = new_keys(random)
    with _directory(path) as directory:
        try:
            created = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN_ONLY_ITSELF
            descriptor = os.open(path.name, created, 0o600, dir_fd=directory)
        except FileExistsError:
            raise NotReady(
                f"there is something at {path} already: a key file is never overwritten; name another path"
            ) from None
        except OSError as error:
            raise NotReady(f"the key file {path} cannot be made: {error.strerror}") from None
        try:
            _write(descriptor, keys)
        except OSError as error:
            os.unlink(path.name, dir_fd=directory)
            raise NotReady(f"the key file {path} cannot be written: {error.strerror}") from None
        # Without this the name itself may be lost with the power, and with it all that was sealed.
        os.fsync(directory)


def _write(descriptor: int, keys: list[LocalKey]) -> None:
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text_of(keys))
        file.flush()
        os.fsync(descriptor)


def _read(path: Path) -> list[LocalKey] | Flaw:
    with _directory(path) as directory, _opened(path, directory) as descriptor:
        _check_closed(path, os.fstat(descriptor))
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return parsed(file.read(_SIZE_MAX))


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    """The directory of `path`, held open so that what is checked is what is used."""
    parent = path.parent
    try:
        descriptor = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise NotReady(
            f"the directory {parent} of the key file cannot be opened: {error.strerror};"
            f" make it with mode 0700: mkdir -m 700 {parent}"
        ) from None
    try:
        _check_unshared(parent, os.fstat(descriptor))
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened(path: Path, directory: int) -> Iterator[int]:
    try:
        # Not to wait for a writer, should it be a pipe.
        descriptor = os.open(path.name, os.O_RDONLY | os.O_NONBLOCK | _OPEN_ONLY_ITSELF, dir_fd=directory)
    except FileNotFoundError:
        raise NotReady(
            f"there is no key file at {path}: bring back the right one; make one only for a new database"
        ) from None
    except OSError as error:
        reason = "it is a symbolic link; name the file itself" if error.errno == errno.ELOOP else error.strerror
        raise NotReady(f"the key file {path} cannot be opened: {reason}") from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _check_unshared(parent: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o022:
        raise NotReady(
            f"the directory {parent} of the key file is writable by others (mode {mode:04o}): chmod go-w {parent}"
        )
    if status.st_uid not in (0, os.geteuid()):
        raise NotReady(
            f"the directory {parent} of the key file belongs to user {status.st_uid}, who could exchange the file:"
            f" chown {os.geteuid()} {parent}"
        )


def _check_closed(path: Path, status: os.stat_result) -> None:
    mode = stat.S_IMODE(status.st_mode)
    if not stat.S_ISREG(status.st_mode):
        raise NotReady(f"the key file {path} is not a regular file; name the file itself")
    if status.st_uid != os.geteuid():
        raise NotReady(
            f"the key file {path} belongs to user {status.st_uid}, not to the user {os.geteuid()}"
            f" of this process: chown {os.geteuid()} {path}"
        )
    if mode not in _CLOSED:
        raise NotReady(f"the key file {path} has mode {mode:04o} where 0600 or 0400 is right: chmod 600 {path}")
    if status.st_size >= _SIZE_MAX:
        raise NotReady(f"the key file {path} has {status.st_size} bytes: too many for a key file")
