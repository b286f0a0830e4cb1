"""Whatever fails: a traceback with locals, down to every cause, shows no token and no key."""

import os
import resource
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from billing.adapters.keys_environment import EnvironmentKeys
from billing.adapters.keys_file import FileKeys, create_key_file
from billing.adapters.keys_local import LocalKeys, text_of
from billing.domain.errors import BillingError
from billing.domain.tokens import Token
from billing.vault.envelope import Context
from billing.vault.keyring import Keyring
from tests.vault import by_hand
from tests.vault.by_hand import CONTEXT, INDEX, kek, local_keys

DEK = b"a data key of 32 letters, no more"[:32]
TEXT = "the-token-that-nobody-sees"
SECRETS = [TEXT.encode(), DEK, kek(1).secret, INDEX.secret]


def shown(failing: Callable[[], object]) -> str:
    """The traceback of a failure from the caller on, as a careless handler would print it."""
    with pytest.raises(BillingError) as refusal:
        failing()
    lines = traceback.TracebackException.from_exception(refusal.value, capture_locals=True)
    # The first frames are these tests' own.
    for error in (lines, lines.__context__, lines.__cause__):
        if error is not None:
            error.stack = traceback.StackSummary.from_list(
                [frame for frame in error.stack if "/tests/" not in frame.filename]
            )
    return "".join(lines.format(chain=True)) + str(refusal.value) + repr(refusal.value.facts)


def assert_hidden(text: str) -> None:
    for secret in SECRETS:
        forms = [secret.hex(), b64encode(secret).decode()[:40], repr(secret)[2:-1]]
        assert not [form for form in forms if form in text]
    assert "billing/" in text  # or nothing was looked at


def ring(keys: LocalKeys) -> Keyring:
    """Its first record has the data key that is looked for, with any salt."""
    return Keyring(keys, by_hand.tape(DEK, os.urandom(32), os.urandom(12)))


class DeadServer(LocalKeys):
    """Answers for the current key, then is gone."""

    def wrap(self, *_: bytes) -> tuple[bytes, bytes]:
        raise BillingError("the key server does not answer")


BLOB = ring(local_keys(kek(1))).seal(CONTEXT, Token(TEXT))
CHANGED = BLOB[:-1] + bytes([BLOB[-1] ^ 1])


@pytest.mark.parametrize(
    "failing",
    [
        lambda: ring(local_keys(kek(1))).open(CONTEXT, CHANGED),
        lambda: ring(local_keys(kek(1))).open(replace(CONTEXT, version=9), BLOB),
        lambda: ring(local_keys(replace(kek(1), id=bytes(16)))).open(CONTEXT, BLOB),
        lambda: ring(local_keys(kek(1))).rewrap(replace(CONTEXT, version=9), BLOB),
        lambda: ring(DeadServer([kek(1), INDEX], os.urandom)).rewrap(CONTEXT, BLOB),
        lambda: ring(DeadServer([kek(1), INDEX], os.urandom)).seal(CONTEXT, Token(TEXT)),
        lambda: ring(local_keys(kek(1))).seal(CONTEXT, Token(TEXT + "\ud800")),
        lambda: ring(local_keys(kek(1))).seal(CONTEXT, Token(TEXT * 1000)),
        lambda: ring(local_keys(kek(1))).blind_index("nordic", Token(TEXT + "\ud800")),
        lambda: ring(local_keys(kek(1))).check_canary(BLOB),
        lambda: local_keys(kek(1)).unwrap(kek(1).id, bytes(60), bytes(32), bytes(60)),
    ],
)
def test_no_failure_of_the_vault_shows_a_secret(failing: Callable[[], object]) -> None:
    assert_hidden(shown(failing))


def test_a_body_that_was_sealed_wrongly_shows_nothing_of_it() -> None:
    blob = by_hand.record(kek(1), by_hand.padded(TEXT.encode())[:-1] + b"x", dek=DEK)
    assert_hidden(shown(lambda: ring(local_keys(kek(1))).open(CONTEXT, blob)))


def broken_texts() -> list[str]:
    whole = text_of([kek(1), INDEX])
    key = b64encode(kek(1).secret).decode()
    return [
        whole[:-20],
        whole.replace("kek:active", "kek:activ"),
        whole.replace(key, key[:-8]),
        whole[:-2] + "\n",
        whole + "ü\n",
    ]


@pytest.mark.parametrize("text", broken_texts())
def test_no_refusal_of_keys_shows_a_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "keys"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    assert_hidden(shown(lambda: FileKeys(path)))
    assert_hidden(shown(lambda: EnvironmentKeys(text)))


@contextmanager
def full_disk() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_leaves_no_half_key_file_and_shows_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"

    def failing() -> None:
        with full_disk():
            create_key_file(path, lambda size: kek(1).secret[:size])

    assert_hidden(shown(failing))
    assert not path.exists()


def test_keys_and_keyrings_do_not_print_what_they_hold() -> None:
    keys = local_keys(kek(1))
    printed = repr([kek(1), keys, ring(keys)]) + str(Context.__repr__(CONTEXT))
    assert not [secret for secret in SECRETS if repr(secret)[2:-1] in printed]
