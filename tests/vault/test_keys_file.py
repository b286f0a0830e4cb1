import os
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from billing.adapters.keys_environment import EnvironmentKeys
from billing.adapters.keys_file import FileKeys, create_key_file
from billing.adapters.keys_local import Flaw, LocalKey, Role, parsed, text_of
from billing.domain.errors import NotReady
from billing.domain.tokens import Token
from billing.vault.keyring import Keyring
from tests.vault.by_hand import CONTEXT, INDEX, kek

OLD = replace(kek(1), role=Role.DECRYPT_ONLY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    directory = tmp_path / "vault"
    directory.mkdir(mode=0o700)
    return directory / "keys"


def write(path: Path, *keys: LocalKey) -> None:
    path.write_text(text_of(keys))
    path.chmod(0o600)


def test_a_new_key_file_is_closed_to_others_and_seals(path: Path) -> None:
    create_key_file(path, os.urandom)
    keyring = Keyring(FileKeys(path), os.urandom)
    assert path.stat().st_mode & 0o7777 == 0o600
    assert keyring.open(CONTEXT, keyring.seal(CONTEXT, Token("token"))).reveal() == "token"


def test_a_new_key_file_is_closed_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        create_key_file(path, os.urandom)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_key_file_that_only_its_owner_reads_is_taken(path: Path) -> None:
    write(path, kek(1), INDEX)
    path.chmod(0o400)
    assert FileKeys(path).current() == kek(1).id


def test_the_first_active_key_seals_and_all_open(path: Path) -> None:
    write(path, kek(1), INDEX)
    old = Keyring(FileKeys(path), os.urandom).seal(CONTEXT, Token("token"))
    write(path, OLD, kek(2), kek(3), INDEX)
    rotated = FileKeys(path)
    assert rotated.current() == kek(2).id
    assert Keyring(rotated, os.urandom).open(CONTEXT, old).reveal() == "token"


def test_a_key_may_be_set_to_decrypt_only_in_place(path: Path) -> None:
    write(path, kek(1), kek(2), INDEX)
    path.write_text(path.read_text().replace("kek:active", "kek:decrypt_only", 1))
    assert FileKeys(path).current() == kek(2).id


def test_the_index_key_comes_with_its_version(path: Path) -> None:
    write(path, kek(1), replace(INDEX, id=(7).to_bytes(16)))
    assert FileKeys(path).index_key() == (7, INDEX.secret)


@pytest.mark.parametrize("existing", ["file", "directory", "link", "dangling link"])
def test_nothing_that_is_there_is_ever_overwritten(path: Path, existing: str) -> None:
    target = path.with_name("target")
    if existing == "directory":
        path.mkdir()
    elif existing == "file":
        path.write_text("precious")
    else:
        if existing == "link":
            target.write_text("precious")
        path.symlink_to(target)
    with pytest.raises(NotReady, match="never overwritten"):
        create_key_file(path, os.urandom)
    assert target.exists() is (existing == "link")
    assert existing not in ("file", "link") or path.read_text() == "precious"


def test_no_key_file_is_made_where_others_may_write(path: Path) -> None:
    path.parent.chmod(0o770)
    with pytest.raises(NotReady, match="chmod go-w"):
        create_key_file(path, os.urandom)
    assert not path.exists()


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def made_directory(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o600)


def made_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.unlink(), "there is no key file at {path}: bring back the right one"),
        (lambda path: path.write_text(""), "the key file {path} is empty"),
        (lambda path: path.write_bytes(b"\x80" + path.read_bytes()), "{path} holds other than plain ASCII"),
        (lambda path: path.write_text("key"), "{path} does not begin with the line 'perennial-keys v1"),
        (lambda path: path.write_text(path.read_text()[:-5]), "{path} is cut off or has lines too many: 2 whole lines"),
        (lambda path: path.write_bytes(path.read_bytes() * 9999), "bytes: too many for a key file"),
        (lambda path: path.chmod(0o644), "{path} has mode 0644 where 0600 or 0400 is right: chmod 600 {path}"),
        (lambda path: path.chmod(0o640), "{path} has mode 0640"),
        (lambda path: path.chmod(0o4600), "{path} has mode 4600"),
        (linked, "the key file {path} cannot be opened: it is a symbolic link; name the file itself"),
        (made_directory, "the key file {path} is not a regular file"),
        (made_pipe, "the key file {path} is not a regular file"),
        (lambda path: path.parent.chmod(0o720), "{parent} of the key file is writable by others (mode 0720)"),
        (lambda path: path.parent.chmod(0o702), "chmod go-w {parent}"),
    ],
)
def test_a_key_file_that_is_not_right_is_refused_with_what_would_be(
    path: Path, spoil: Callable[[Path], object], sentence: str
) -> None:
    write(path, kek(1), INDEX)
    spoil(path)
    with pytest.raises(NotReady, match=re.escape(sentence.format(path=path, parent=path.parent))):
        FileKeys(path)


def test_a_key_file_without_its_directory_is_refused(path: Path) -> None:
    for use in (FileKeys, lambda there: create_key_file(there, os.urandom)):
        with pytest.raises(NotReady, match="cannot be opened: No such file or directory; make it with mode 0700"):
            use(path.parent / "missing" / "keys")


def test_a_key_file_of_somebody_else_is_refused(path: Path) -> None:
    write(path, kek(1), INDEX)
    theirs = Path("/etc/passwd")
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        theirs = path
    with pytest.raises(NotReady, match=f"belongs to user {theirs.stat().st_uid}, not to .*: chown {os.geteuid()} "):
        FileKeys(theirs)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_key_file_in_the_directory_of_somebody_else_is_refused(path: Path) -> None:
    write(path, kek(1), INDEX)
    os.chown(path.parent, 65534, 65534)
    with pytest.raises(NotReady, match="belongs to user 65534, who could exchange the file"):
        FileKeys(path)


KEY = b64encode(kek(1).secret).decode()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("kek:active ", "kek:pending ", "line 2 names no role; it must be one of kek:active, kek:decrypt_only, index"),
        ("kek:active ", "index ", "line 2 has a wrong checksum"),
        ("kek:active ", "kek:decrypt_only ", "holds no key with the role kek:active"),
        (kek(1).id.hex(), kek(2).id.hex(), "line 2 has a wrong checksum"),
        (kek(1).id.hex(), kek(1).id.hex()[2:], "line 2 has an id that is not 32 hex digits"),
        (kek(1).id.hex(), "g" * 32, "line 2 has an id that is not 32 hex digits"),
        (KEY, KEY[:-4], "line 2 has a key of 30 bytes instead of 32"),
        (KEY, KEY[:-1], "line 2 has a key that is not base64"),
        (KEY, "!" + KEY[1:], "line 2 has a key that is not base64"),
        (KEY, KEY[4:8] + KEY[:40], "line 2 has a key"),
        (KEY, "A" + KEY[1:], "line 2 has a wrong checksum"),
        (KEY, KEY + " " + KEY, "line 2 has 5 fields instead of four"),
        (" 2\n", " 1\n", "has lines too many"),
        (" 2\n", " 3\n", "is cut off"),
        (" v1 ", " v2 ", "does not begin"),
    ],
)
def test_a_changed_key_file_is_refused_with_the_line_and_the_reason(old: str, new: str, sentence: str) -> None:
    text = text_of([kek(1), INDEX])
    assert old in text
    found = parsed(text.replace(old, new, 1).encode())
    assert isinstance(found, Flaw)
    assert sentence in found.sentence


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ([kek(1)], "holds 0 keys with the role index"),
        ([kek(1), INDEX, replace(INDEX, id=(2).to_bytes(16))], "holds 2 keys with the role index"),
        ([kek(1), kek(1), INDEX], "names one key id twice"),
        ([INDEX], "holds no key with the role kek:active"),
    ],
)
def test_an_incomplete_set_of_keys_is_refused(keys: list[LocalKey], sentence: str) -> None:
    found = parsed(text_of(keys).encode())
    assert isinstance(found, Flaw)
    assert sentence in found.sentence


def test_every_truncation_and_every_changed_bit_of_a_key_file_is_refused() -> None:
    whole = text_of([kek(1), INDEX]).encode()
    changed = [whole[:length] for length in range(len(whole))] + [whole + b"x", whole + b"\n", whole + b"x\n"]
    changed += [
        whole[:at] + bytes([whole[at] ^ (1 << bit)]) + whole[at + 1 :] for at in range(len(whole)) for bit in range(8)
    ]
    assert [text for text in changed if not isinstance(parsed(text), Flaw)] == []


def test_keys_from_the_environment_open_what_the_key_file_sealed(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    create_key_file(path, os.urandom)
    blob = Keyring(FileKeys(path), os.urandom).seal(CONTEXT, Token("token"))
    keys = EnvironmentKeys(path.read_text().rstrip("\n"))
    assert Keyring(keys, os.urandom).open(CONTEXT, blob).reveal() == "token"
    assert "for development only" in caplog.text


@pytest.mark.parametrize(("text", "sentence"), [("", "is empty"), ("\n", "is empty"), ("\udc80", "does not begin")])
def test_a_variable_without_keys_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(NotReady, match=f"^the variable with the keys {sentence}"):
        EnvironmentKeys(text)
