"""Another number or address of an order, in the words of each generation, and what is refused before it is sent."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from billing.adapters.klarna_legacy import payloads as legacy
from billing.adapters.klarna_legacy.answers import outcome
from billing.adapters.klarna_legacy.digest import order_management_digest, update_parts
from billing.adapters.klarna_legacy.xmlrpc import read_call
from billing.adapters.klarna_rest.payloads import request_for
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind, OrderChange
from billing.ports import Address, Order, Refused, Request
from tests.fakes.calls import PURCHASE_ID, an_order
from tests.fakes.legacy_calls import MERCHANT, RNO, legacy_call, xml_fault

AMEND, CAPTURE, REFUND = OperationKind.AMEND, OperationKind.CAPTURE, OperationKind.REFUND
HOME = Address("Ada", "Example", "Storgatan 1", "c/o Kim", "12345", "Ankeborg", country="SE", phone="0701234567")
ORDER_PATH = f"/ordermanagement/v1/orders/{PURCHASE_ID}"


def changing(change: OrderChange, **about: object) -> Order:
    return an_order(AMEND, amount=0, lines=(), changes=change, **about)


def older(order: Order) -> Request:
    return legacy.request_for(replace(order, purchase_id=RNO), MERCHANT)


def sent(order: Order) -> dict[str, object]:
    """The update_info of an update call; its digest is the right one."""
    method, params = read_call(older(order).body) or ("", [])
    parts = update_parts(str(params[1]), MERCHANT.eid, RNO, params[5])
    assert (method, params[3]) == ("update", order_management_digest(parts, MERCHANT.secret))
    return params[5]


def test_only_the_number_that_the_customer_sees_is_changed() -> None:
    order = changing(OrderChange.ORDER_NUMBER, invoice_reference="SHOP-17")
    request = request_for(order)
    assert (request.method, request.path) == ("PATCH", f"{ORDER_PATH}/merchant-references")
    assert json.loads(request.body) == {"merchant_reference1": "SHOP-17"}
    assert sent(order) == {"goods_list": [], "dlv_addr": [], "bill_addr": [], "orderid1": "", "orderid2": "SHOP-17"}


def test_only_the_place_of_delivery_is_changed() -> None:
    order = changing(OrderChange.ADDRESS, address=HOME)
    request = request_for(order)
    assert (request.method, request.path) == ("PATCH", f"{ORDER_PATH}/customer-details")
    assert json.loads(request.body)["shipping_address"] == {
        "given_name": "Ada",
        "family_name": "Example",
        "street_address": "Storgatan 1",
        "street_address2": "c/o Kim",
        "postal_code": "12345",
        "city": "Ankeborg",
        "country": "SE",
        "phone": "0701234567",
    }
    info = sent(order)
    assert (info["goods_list"], info["bill_addr"]) == ([], [])
    assert {name: value for name, value in dict(info["dlv_addr"]).items() if value} == {
        "fname": "Ada",
        "lname": "Example",
        "careof": "c/o Kim",
        "street": "Storgatan 1",
        "zip": "12345",
        "city": "Ankeborg",
        "cellno": "0701234567",
        "country": 209,
    }
    assert len(dict(info["dlv_addr"])) == 13


@pytest.mark.parametrize(
    ("write", "address", "where"),
    [
        (older, replace(HOME, country="FR"), "dlv_addr.country"),
        (older, replace(HOME, street_address=""), "dlv_addr.street"),
        (older, replace(HOME, city="Łódź"), "dlv_addr.city"),
        (request_for, replace(HOME, postal_code="1" * 11), "shipping_address.postal_code"),
        (request_for, replace(HOME, city="x" * 100), "shipping_address.city"),
        (request_for, None, "shipping_address"),
        (older, None, "dlv_addr.street"),
    ],
)
def test_an_address_that_cannot_be_said_is_refused_by_its_field(
    write: Callable[[Order], Request], address: Address | None, where: str
) -> None:
    with pytest.raises(Invalid) as refused:
        write(changing(OrderChange.ADDRESS, address=address))
    assert refused.value.where == where


def test_a_returned_amount_has_the_one_rate_of_its_credit_where_no_lines_say_it() -> None:
    order = an_order(REFUND, amount=510, lines=(), is_whole=False, has_lines=False, tax_rate=2500, capture_id="17")
    method, params = read_call(legacy.request_for(order, MERCHANT).body) or ("", [])
    assert (method, params[4], params[5]) == ("return_amount", 510, 25)
    with pytest.raises(Invalid):
        legacy.request_for(replace(order, tax_rate=None), MERCHANT)


@pytest.mark.parametrize(("code", "may_have_ended"), [(8104, True), (9109, True), (9107, False)])
def test_a_refused_capture_says_whether_it_may_have_come_too_late(code: int, may_have_ended: bool) -> None:
    refused = outcome(legacy_call(CAPTURE), xml_fault(code))
    assert isinstance(refused, Refused)
    assert refused.may_have_ended is may_have_ended
