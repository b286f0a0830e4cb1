"""Digests equal, byte for byte, those that Klarna's own clients made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from billing.adapters.klarna_legacy.digest import (
    Part,
    activate_parts,
    article_parts,
    checkout_authorization,
    order_management_digest,
    update_parts,
)
from billing.domain.errors import Invalid

VECTORS = json.loads((Path(__file__).parent / "legacy_digest_vectors.json").read_text(encoding="utf-8"))

# How the parts of each method that we call are found among its parameters (legacy wire facts, section 2).
OURS: dict[str, Callable[[list[Any]], list[Part]]] = {
    "activate": lambda p: activate_parts(p[1], p[2], p[4], p[5]),
    "update": lambda p: update_parts(p[1], p[2], p[4], p[5]),
    "credit_part": lambda p: [p[2], p[3], *article_parts(p[4])],
    "cancel_reservation": lambda p: [p[3], p[2]],
    "extend_expiry_date": lambda p: [p[3], p[2]],
    "check_order_status": lambda p: [p[2], p[4]],
} | dict.fromkeys(
    ("credit_invoice", "return_amount", "email_invoice", "send_invoice", "invoice_amount", "extend_invoice_due_date"),
    lambda p: [p[2], p[3]],
)


def test_there_are_fifty_vectors() -> None:
    assert (len(VECTORS["xmlrpc"]), len(VECTORS["checkout"])) == (46, 4)


@pytest.mark.parametrize("vector", VECTORS["xmlrpc"], ids=lambda vector: vector["method"])
def test_the_hash_of_every_preimage_is_theirs(vector: dict[str, Any]) -> None:
    *parts, secret = vector["preimage"].split(":")
    assert order_management_digest(parts, secret) == vector["digest"] == vector["params"][vector["digest_at"]]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS["xmlrpc"] if v["method"] in OURS], ids=lambda vector: vector["method"]
)
def test_the_digest_of_every_call_of_ours_is_theirs(vector: dict[str, Any]) -> None:
    parts = OURS[vector["method"]](vector["params"])
    assert order_management_digest(parts, vector["secret"]) == vector["digest"]


def test_every_method_that_we_call_has_a_vector() -> None:
    assert set(OURS) <= {vector["method"] for vector in VECTORS["xmlrpc"]}


@pytest.mark.parametrize("vector", VECTORS["checkout"], ids=lambda vector: vector["note"])
def test_the_header_of_a_recurring_order_is_theirs(vector: dict[str, Any]) -> None:
    assert checkout_authorization(vector["body"].encode(), vector["secret"]) == vector["authorization"]


def test_an_empty_value_leaves_with_its_colon_and_zero_stays() -> None:
    info = {"orderid1": "", "orderid2": "b", "flags": 0, "shipment_info": {"delay_adjust": 1}}
    assert activate_parts("x", 7, "r", info) == ["4", "1", "x", 7, "r", 0, "b", 1]


def test_a_part_outside_iso_8859_1_is_refused_without_showing_the_secret() -> None:
    with pytest.raises(Invalid) as refusal:
        order_management_digest(["4711", "\u20ac"], "sharedSecret")
    assert "sharedSecret" not in repr(refusal.value) + str(refusal.value.facts)
    assert refusal.value.__context__ is None
