import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.adapters.keys_local import LocalKeys, Role
from billing.domain.errors import Invalid, VaultError
from billing.domain.tokens import Token
from billing.vault import envelope
from billing.vault.envelope import Context, key_id_of, open_record, rewrap, seal
from tests.vault import by_hand
from tests.vault.by_hand import CONTEXT, kek, local_keys

KEYS = local_keys(kek(1))
TOKEN = Token("5a11ab1e-70ce-4000-8000-0123456789ab")
# Where the parts of record v1 lie.
KEY_ID, SALT, WRAPPED = slice(6, 22), slice(22, 54), slice(54, 114)
COMMITMENT, NONCE, LENGTH, BODY = slice(114, 146), slice(146, 158), slice(158, 162), slice(162, None)


def sealed(context: Context = CONTEXT, token: Token = TOKEN, suite: int = envelope.SUITE_GCM_SIV) -> bytes:
    return seal(KEYS, os.urandom, context, token, suite=suite)


def opening_ones(blobs: Iterable[bytes]) -> list[int]:
    """The positions of the blobs that open, or are refused with other words than all."""
    found = []
    for position, blob in enumerate(blobs):
        try:
            open_record(KEYS, CONTEXT, blob)
        except VaultError as error:
            if error.args == VaultError().args:
                continue
        found.append(position)
    return found


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4096))
@settings(max_examples=60, deadline=None, database=None)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    assert open_record(KEYS, CONTEXT, sealed(token=Token(text))).reveal() == text


def test_every_length_from_1_to_4096_comes_back_in_whole_blocks() -> None:
    for length in [*range(1, 200), *range(200, 4096, 61), 4096]:
        blob = sealed(token=Token("å" * length))
        assert (len(blob[BODY]) - 16) % 64 == 0
        assert open_record(KEYS, CONTEXT, blob).reveal() == "å" * length


def test_tokens_of_one_block_cannot_be_told_apart_by_length() -> None:
    assert {len(sealed(token=Token("x" * length))) for length in range(1, 61)} == {242}


@pytest.mark.parametrize("suite", [envelope.SUITE_GCM_SIV, envelope.SUITE_GCM])
def test_every_flipped_bit_is_refused(suite: int) -> None:
    blob = sealed(suite=suite)
    whole = int.from_bytes(blob)
    flipped = [(whole ^ (1 << bit)).to_bytes(len(blob)) for bit in range(8 * len(blob))]
    assert len(flipped) == 1936
    assert opening_ones(flipped) == []


def test_every_truncation_is_refused() -> None:
    blob = sealed()
    assert opening_ones(blob[:length] for length in range(len(blob))) == []


def test_every_extension_is_refused() -> None:
    blob = sealed()
    assert opening_ones([blob + b"\0", blob + b"x", blob + bytes(64), blob + blob, b"\0" + blob]) == []


def test_a_length_that_lies_about_the_body_is_refused() -> None:
    blob = sealed()
    lies = (blob[: LENGTH.start] + length.to_bytes(4) + blob[BODY] for length in (0, 64, 79, 81, 144, 2**32 - 1))
    assert opening_ones(lies) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(CONTEXT, purpose="canary"),
        replace(CONTEXT, provider_account="baltic"),
        replace(CONTEXT, customer_id=UUID(int=1)),
        replace(CONTEXT, record_id=UUID(int=1)),
        replace(CONTEXT, version=CONTEXT.version - 1),
        replace(CONTEXT, purpose="chargen", provider_account="ordic"),
        replace(CONTEXT, customer_id=CONTEXT.record_id, record_id=CONTEXT.customer_id),
    ],
    ids=["purpose", "account", "customer", "record", "older version", "shifted border", "ids exchanged"],
)
@pytest.mark.parametrize("use", [open_record, rewrap])
def test_a_record_of_another_context_is_refused(use: Callable[..., object], other: Context) -> None:
    with pytest.raises(VaultError):
        use(KEYS, other, sealed())


@pytest.mark.parametrize("part", [KEY_ID, SALT, WRAPPED, COMMITMENT, NONCE, BODY])
def test_no_part_of_another_record_fits(part: slice) -> None:
    mine, theirs = bytearray(sealed()), sealed()
    mine[part] = bytes(16) if part is KEY_ID else theirs[part]
    assert opening_ones([bytes(mine)]) == []


def test_a_wrapped_key_and_body_of_another_customer_are_refused_together() -> None:
    mine, theirs = bytearray(sealed()), sealed(replace(CONTEXT, customer_id=UUID(int=1)))
    mine[SALT.start :] = theirs[SALT.start :]
    assert opening_ones([bytes(mine)]) == []


def test_another_key_of_the_same_id_is_refused() -> None:
    impostor = replace(kek(2), id=kek(1).id)
    with pytest.raises(VaultError):
        open_record(local_keys(impostor), CONTEXT, sealed())


def test_a_suite_2_record_opens_and_says_so() -> None:
    blob = sealed(suite=envelope.SUITE_GCM)
    assert blob[4] == 2
    assert open_record(KEYS, CONTEXT, blob) == TOKEN


def test_new_records_use_the_suite_that_forgives_a_repeated_nonce() -> None:
    assert seal(KEYS, os.urandom, CONTEXT, TOKEN)[:6] == b"RBV1\x01\x00"


def test_two_records_of_one_token_share_nothing() -> None:
    one, two = sealed(), sealed()
    assert all(one[part] != two[part] for part in (SALT, WRAPPED, COMMITMENT, NONCE, BODY))


PADDED = by_hand.padded(b"token")


def test_a_record_made_by_hand_opens() -> None:
    assert open_record(KEYS, CONTEXT, by_hand.record(kek(1), PADDED)).reveal() == "token"


@pytest.mark.parametrize(
    "inner",
    [
        PADDED[:-1] + b"x",
        PADDED[:9] + b"\1" + PADDED[10:],
        PADDED + bytes(64),
        (0).to_bytes(4) + bytes(60),
        (61).to_bytes(4) + b"t" * 60,
        (2**32 - 1).to_bytes(4) + b"t" * 60,
        by_hand.padded(b"\xff\xfe"),
        by_hand.padded(b"t" * (envelope.TOKEN_BYTES_MAX + 1)),
    ],
    ids=["last byte", "first byte", "a block too many", "empty", "too short", "huge", "not UTF-8", "too long"],
)
def test_a_well_sealed_body_with_wrong_padding_is_refused(inner: bytes) -> None:
    assert opening_ones([by_hand.record(kek(1), inner)]) == []


@pytest.mark.parametrize("use", [open_record, rewrap])
def test_a_commitment_to_another_data_key_is_refused(use: Callable[..., object]) -> None:
    blob = by_hand.record(kek(1), PADDED, commit_to=b"e" * 32)
    with pytest.raises(VaultError):
        use(KEYS, CONTEXT, blob)


@pytest.mark.parametrize("text", ["", "x" * (envelope.TOKEN_BYTES_MAX + 1), "half a pair \ud800"])
def test_a_token_that_cannot_be_sealed_is_invalid_and_not_quoted(text: str) -> None:
    with pytest.raises(Invalid, match=r"^a token has 1 to 16384 bytes of valid text$") as refusal:
        sealed(token=Token(text))
    assert refusal.value.__context__ is None


def test_after_a_rotation_the_first_key_seals_and_all_open() -> None:
    old = sealed()
    rotated = local_keys(kek(2), replace(kek(1), role=Role.DECRYPT_ONLY))
    new = seal(rotated, os.urandom, CONTEXT, TOKEN)
    assert (key_id_of(old), key_id_of(new)) == (kek(1).id, kek(2).id)
    assert open_record(rotated, CONTEXT, old) == open_record(rotated, CONTEXT, new) == TOKEN


def test_a_rewrap_changes_key_id_and_wrapped_key_only() -> None:
    old = sealed()
    new = rewrap(local_keys(kek(2), kek(1)), CONTEXT, old)
    assert (new[:6], new[KEY_ID], new[SALT]) == (old[:6], kek(2).id, old[SALT])
    assert new[WRAPPED] != old[WRAPPED]
    assert new[COMMITMENT.start :] == old[COMMITMENT.start :]


@pytest.mark.parametrize("suite", [envelope.SUITE_GCM_SIV, envelope.SUITE_GCM])
def test_a_rewrapped_record_opens_when_the_old_key_is_gone(suite: int) -> None:
    new = rewrap(local_keys(kek(2), kek(1)), CONTEXT, sealed(suite=suite))
    assert open_record(local_keys(kek(2)), CONTEXT, new) == TOKEN
    with pytest.raises(VaultError):
        open_record(KEYS, CONTEXT, new)


def test_a_rewrap_without_the_old_key_is_refused() -> None:
    with pytest.raises(VaultError):
        rewrap(local_keys(kek(2)), CONTEXT, sealed())


@pytest.mark.parametrize("blob", [b"", b"RBV1", b"RBV2" + sealed()[4:], b"RBV1\3" + sealed()[5:], bytes(242)])
def test_no_key_id_is_read_from_what_is_no_record(blob: bytes) -> None:
    with pytest.raises(VaultError):
        key_id_of(blob)


class MovingKeys(LocalKeys):
    """A key server that moves to another key between naming the current one and wrapping, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__([kek(1), kek(2), by_hand.INDEX], os.urandom)
        self._times = times

    def wrap(self, dek: bytes, salt: bytes, context: bytes) -> tuple[bytes, bytes]:
        if self._times:
            self._times -= 1
            self._current = kek(2).id if self._current == kek(1).id else kek(1).id
        return super().wrap(dek, salt, context)


def test_a_key_that_changes_while_sealing_is_asked_again() -> None:
    blob = seal(MovingKeys(1), os.urandom, CONTEXT, TOKEN)
    assert key_id_of(blob) == kek(2).id
    assert open_record(local_keys(kek(2)), CONTEXT, blob) == TOKEN


def test_a_key_that_never_stands_still_seals_nothing() -> None:
    with pytest.raises(VaultError):
        seal(MovingKeys(99), os.urandom, CONTEXT, TOKEN)


class CuttingKeys(LocalKeys):
    def wrap(self, dek: bytes, salt: bytes, context: bytes) -> tuple[bytes, bytes]:
        key_id, wrapped = super().wrap(dek, salt, context)
        return key_id, wrapped[:-1]


def test_a_wrapped_key_of_the_wrong_length_is_never_stored() -> None:
    with pytest.raises(VaultError):
        seal(CuttingKeys([kek(1), by_hand.INDEX], os.urandom), os.urandom, CONTEXT, TOKEN)
