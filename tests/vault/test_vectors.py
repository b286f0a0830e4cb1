"""Known answers: with keys and randomness given, every byte of a record and of an index is what the files say."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from billing.adapters.keys_local import LocalKey, LocalKeys, Role
from billing.domain.tokens import Token
from billing.vault.blind_index import blind_index
from billing.vault.envelope import Context, open_record, seal
from tests.vault import by_hand

VECTORS = Path(__file__).parent / "vectors"
RECORDS = json.loads((VECTORS / "record-v1.json").read_text("utf-8"))
INDEXES = json.loads((VECTORS / "blind-index.json").read_text("utf-8"))

each_record = pytest.mark.parametrize("case", RECORDS, ids=lambda case: case["name"])


def bytes_of(case: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(case[name]) for name in names]


def keys_of(case: dict[str, Any]) -> LocalKeys:
    key_id, kek, wrap_nonce = bytes_of(case, "kek_id", "kek", "wrap_nonce")
    return by_hand.local_keys(LocalKey(Role.ACTIVE, key_id, kek), random=by_hand.tape(wrap_nonce))


def context_of(case: dict[str, Any]) -> Context:
    customer, record = UUID(case["customer_id"]), UUID(case["record_id"])
    return Context(case["purpose"], case["provider_account"], customer, record, case["version"])


@each_record
def test_sealing_with_known_randomness_gives_the_known_record(case: dict[str, Any]) -> None:
    random = by_hand.tape(*bytes_of(case, "dek", "salt", "body_nonce"))
    blob = seal(keys_of(case), random, context_of(case), Token(case["token"]), suite=case["suite"])
    assert blob.hex() == case["record"]


@each_record
def test_a_known_record_opens_to_its_token(case: dict[str, Any]) -> None:
    assert open_record(keys_of(case), context_of(case), bytes.fromhex(case["record"])).reveal() == case["token"]


@each_record
def test_the_description_read_a_second_time_gives_the_known_record(case: dict[str, Any]) -> None:
    key_id, kek, dek, salt, wrap_nonce, body_nonce = bytes_of(
        case, "kek_id", "kek", "dek", "salt", "wrap_nonce", "body_nonce"
    )
    blob = by_hand.record(
        LocalKey(Role.ACTIVE, key_id, kek),
        by_hand.padded(case["token"].encode()),
        suite=case["suite"],
        context=context_of(case),
        dek=dek,
        salt=salt,
        nonces=(wrap_nonce, body_nonce),
    )
    assert blob.hex() == case["record"]


@pytest.mark.parametrize("case", INDEXES, ids=lambda case: case["index"])
def test_a_known_token_has_the_known_blind_index(case: dict[str, Any]) -> None:
    index_key = LocalKey(Role.INDEX, case["version"].to_bytes(16), bytes.fromhex(case["key"]))
    keys = LocalKeys([by_hand.kek(1), index_key], by_hand.tape())
    found = blind_index(keys, case["provider_account"], Token(case["token"]))
    assert found == (case["version"], bytes.fromhex(case["index"]))
