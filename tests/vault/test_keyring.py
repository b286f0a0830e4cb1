import os
import re
from contextlib import nullcontext
from dataclasses import replace
from uuid import UUID

import pytest

from billing.adapters.keys_local import Role
from billing.domain.errors import Invalid, NotReady
from billing.domain.tokens import Token
from billing.vault.envelope import Context, key_id_of
from billing.vault.keyring import Keyring
from tests.vault import by_hand
from tests.vault.by_hand import CONTEXT, kek, local_keys

TOKEN = Token("5a11ab1e-70ce-4000-8000-0123456789ab")
KEYRING = Keyring(local_keys(kek(1)), os.urandom)


def test_what_the_keyring_seals_it_opens() -> None:
    assert KEYRING.open(CONTEXT, KEYRING.seal(CONTEXT, TOKEN)) == TOKEN


def test_every_token_opens_at_every_step_of_a_rotation() -> None:
    before = KEYRING
    between = Keyring(local_keys(kek(2), replace(kek(1), role=Role.DECRYPT_ONLY)), os.urandom)
    after = Keyring(local_keys(kek(2)), os.urandom)
    old = before.seal(CONTEXT, TOKEN)
    new = between.rewrap(CONTEXT, old)
    assert before.open(CONTEXT, old) == between.open(CONTEXT, old) == TOKEN
    assert between.open(CONTEXT, new) == after.open(CONTEXT, new) == TOKEN


def test_a_canary_sings_for_its_own_key() -> None:
    canary = KEYRING.canary()
    assert key_id_of(canary) == kek(1).id
    KEYRING.check_canary(canary)


def test_a_canary_sings_for_a_key_that_only_opens() -> None:
    rotated = Keyring(local_keys(kek(2), replace(kek(1), role=Role.DECRYPT_ONLY)), os.urandom)
    rotated.check_canary(KEYRING.canary())


@pytest.mark.parametrize("other", [kek(2), replace(kek(2), id=kek(1).id)], ids=["missing", "another of that name"])
def test_a_start_without_the_right_key_is_refused_with_its_id(other) -> None:
    with pytest.raises(NotReady, match=re.escape(kek(1).id.hex())):
        Keyring(local_keys(other), os.urandom).check_canary(KEYRING.canary())


def test_a_damaged_canary_is_refused() -> None:
    canary = KEYRING.canary()
    with pytest.raises(NotReady, match="names no key"):
        KEYRING.check_canary(canary[:-1])
    with pytest.raises(NotReady, match="does not open"):
        KEYRING.check_canary(canary[:-1] + bytes([canary[-1] ^ 1]))


@pytest.mark.parametrize(("text", "sings"), [(b"perennial canary v1", True), (b"perennial canary v2", False)])
def test_a_canary_sings_one_song_only(text: bytes, sings: bool) -> None:
    nobody = UUID(int=0)
    canary = by_hand.record(kek(1), by_hand.padded(text), context=Context("canary", "", nobody, nobody, 1))
    with nullcontext() if sings else pytest.raises(NotReady):
        KEYRING.check_canary(canary)


def test_a_sealed_token_is_no_canary() -> None:
    with pytest.raises(NotReady):
        KEYRING.check_canary(KEYRING.seal(CONTEXT, TOKEN))


def test_the_blind_index_finds_the_same_token_again() -> None:
    rotated = Keyring(local_keys(kek(2)), os.urandom)
    version, index = KEYRING.blind_index("nordic", TOKEN)
    assert (version, len(index)) == (1, 16)
    assert rotated.blind_index("nordic", Token(TOKEN.reveal())) == (version, index)


def test_the_blind_index_tells_accounts_and_tokens_apart() -> None:
    pairs = [("nordic", "abc"), ("baltic", "abc"), ("nordic", "abd"), ("nordica", "bc"), ("", "nordicabc")]
    assert len({KEYRING.blind_index(account, Token(text)) for account, text in pairs}) == len(pairs)


def test_what_cannot_be_sealed_has_no_blind_index() -> None:
    with pytest.raises(Invalid):
        KEYRING.blind_index("nordic", Token(""))
