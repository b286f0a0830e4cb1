"""Changing an order that is not captured yet: its new amount, or the rest of it given back."""

import json

import pytest

from billing.adapters.klarna_rest.answers import outcome
from billing.adapters.klarna_rest.payloads import request_for
from billing.adapters.network import HttpAnswer
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind
from billing.ports import Refused, Succeeded
from tests.fakes.calls import PURCHASE_ID, a_call, a_line, an_order

AMEND, RELEASE = OperationKind.AMEND, OperationKind.RELEASE
ORDER_PATH = f"/ordermanagement/v1/orders/{PURCHASE_ID}"


def test_an_amendment_replaces_amount_and_lines() -> None:
    balance = a_line(reference="BALANCE", unit_amount=-900, amount=-900, tax_amount=0, tax_rate=0)
    request = request_for(an_order(AMEND, amount=11000, lines=(a_line(), balance)))
    body = json.loads(request.body)
    assert (request.method, request.path) == ("PATCH", f"{ORDER_PATH}/authorization")
    assert body["order_amount"] == 11000
    assert [(line["type"], line["total_amount"]) for line in body["order_lines"]] == [
        ("digital", 11900),
        ("discount", -900),
    ]


def test_an_amendment_whose_lines_do_not_add_up_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        request_for(an_order(AMEND, amount=11000))
    assert refused.value.where == "order_lines"


def test_a_release_names_its_order_only() -> None:
    request = request_for(an_order(RELEASE))
    assert (request.method, request.path, request.body) == (
        "POST",
        f"{ORDER_PATH}/release-remaining-authorization",
        b"{}",
    )


@pytest.mark.parametrize("kind", [AMEND, RELEASE])
def test_no_content_is_success_and_a_refusal_goes_to_a_person(kind: OperationKind) -> None:
    assert isinstance(outcome(a_call(kind), HttpAnswer(204, {}, b"")), Succeeded)
    not_allowed = HttpAnswer(403, {"content-type": "application/json"}, b'{"error_code":"NOT_ALLOWED"}')
    assert isinstance(outcome(a_call(kind), not_allowed), Refused)
