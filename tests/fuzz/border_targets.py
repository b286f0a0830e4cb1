"""What comes in at the API and what lies in the vault: bodies with money in them, and sealed records."""

import json
from contextlib import suppress
from random import Random

from pydantic import ValidationError

from api.bodies import MoneyIn, read_json
from api.errors import Refused
from api.prices import PriceIn, PriceItemIn
from billing.domain.errors import BillingError, VaultError
from billing.domain.money import EXPONENTS, Money
from billing.domain.pricing import PROVIDER_AMOUNT_MAX
from billing.domain.tokens import Token
from billing.vault.envelope import key_id_of, open_record, seal
from tests.vault.by_hand import CONTEXT, kek, local_keys

KEYS = local_keys(kek(1))
TOKEN = "5a11ab1e-70ce-4000-8000-0123456789ab"
RECORD = seal(KEYS, Random(7).randbytes, CONTEXT, Token(TOKEN))
AMOUNT = {"amount": 2990, "currency": "EUR"}
ITEM = {"article_number": "BASE", "name": "Base fee", "quantity": 1, "unit_amount": AMOUNT, "tax_rate": 1900}
ITEM |= {"credit_rule": "time"}
PRICE = {"plan_id": f"plan_{'0' * 32}", "currency": "EUR", "interval": "month", "interval_count": 1, "items": [ITEM]}


def body_seeds() -> list[bytes]:
    """Valid bodies with amounts in them."""
    return [json.dumps(body).encode() for body in (AMOUNT, ITEM, PRICE, AMOUNT | {"currency": "JPY"})]


def record_seeds() -> list[bytes]:
    """A sealed record."""
    return [RECORD]


def money_body(content: bytes, random: Random) -> None:
    """These bytes as a body: refused in our words, or an amount that is exactly what was written."""
    try:
        value = read_json(content)
    except Refused:
        return
    for model in (MoneyIn, PriceItemIn, PriceIn):
        try:
            read = model.model_validate(value)
        except (ValidationError, BillingError):
            continue
        if isinstance(read, MoneyIn):
            assert type(read.amount) is int
            assert 0 <= read.amount <= PROVIDER_AMOUNT_MAX
            assert read.currency in EXPONENTS
            assert Money(read.amount, read.currency).amount == value["amount"]


def vault_record(content: bytes, random: Random) -> None:
    """These bytes as a record: refused with the one error there is, or the very record that was sealed."""
    with suppress(VaultError):
        key_id_of(content)
    try:
        token = open_record(KEYS, CONTEXT, content)
    except VaultError:
        return
    assert content == RECORD, "a record that was changed opens"
    assert token.reveal() == TOKEN
