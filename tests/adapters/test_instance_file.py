"""The instance file: closed to others, replaced as a whole, never set back, and refused when it cannot be trusted."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from billing.adapters.instance_file import InstanceFile
from billing.domain.errors import NotReady
from billing.domain.instances import Seen

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.key.instance"


def test_what_was_noted_is_read_back_from_a_file_closed_to_others(path: Path) -> None:
    seen = Seen(ONE, 7, "sqlite:/var/a b:1")
    assert InstanceFile(path).read() is None
    InstanceFile(path).note(seen)
    assert InstanceFile(path).read() == seen
    assert (stat.S_IMODE(path.stat().st_mode), list(path.parent.iterdir())) == (0o600, [path])


def test_a_lower_mark_of_the_same_instance_is_not_noted_and_another_instance_is(path: Path) -> None:
    file = InstanceFile(path)
    file.note(Seen(ONE, 7, ""))
    file.note(Seen(ONE, 6, ""))
    assert file.read() == Seen(ONE, 7, "")
    file.note(Seen(OTHER, 1, ""))
    assert file.read() == Seen(OTHER, 1, "")


def test_processes_side_by_side_leave_the_highest_mark(path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda mark: InstanceFile(path).note(Seen(ONE, mark, "")), range(50)))
    assert InstanceFile(path).read() == Seen(ONE, 49, "")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2, "instance": "00000000000000000000000000000001", "mark": 1, "fingerprint": ""}',
        b'{"version": 1, "instance": "x", "mark": 1, "fingerprint": ""}',
        b'{"version": 1, "instance": "00000000000000000000000000000001", "mark": -1, "fingerprint": ""}',
        b'{"version": 1, "instance": "00000000000000000000000000000001", "mark": true, "fingerprint": ""}',
        b'{"version": 1, "instance": "00000000000000000000000000000001", "mark": 1, "fingerprint": null}',
        b'{"version": 1, "instance": "00000000000000000000000000000001", "mark": 1}',
        b"\xff",
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(NotReady, match="is damaged"):
        InstanceFile(path).read()
    with pytest.raises(NotReady, match="is damaged"):
        InstanceFile(path).note(Seen(ONE, 1, ""))
    assert path.read_bytes() == content


def test_a_file_that_others_may_read_is_refused(path: Path) -> None:
    InstanceFile(path).note(Seen(ONE, 1, ""))
    path.chmod(0o644)
    with pytest.raises(NotReady, match="chmod 600"):
        InstanceFile(path).read()


def test_a_symbolic_link_is_refused(path: Path, tmp_path: Path) -> None:
    InstanceFile(tmp_path / "real").note(Seen(ONE, 1, ""))
    path.symlink_to(tmp_path / "real")
    with pytest.raises(NotReady, match="cannot be opened"):
        InstanceFile(path).read()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="nowhere"):
        InstanceFile(tmp_path / "nowhere" / "x.instance").note(Seen(ONE, 1, ""))
