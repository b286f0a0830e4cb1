"""What clients of that time really put on the wire: calls recorded from the PHP client, and every odd form of a value.

`php_client_calls.json` holds the bodies that the PHP client 5.0.0 sent over PHP's XML-RPC library, byte for byte. They
name reservations and invoices of the day they were recorded, so that "there is no such" is how they are understood.
"""

import base64
import json
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, loads

import httpx
import pytest

from tests.adapters.klarna_of_that_time import EID, VERSIONS, OlderKlarna, article, digest, good

RECORDED = {
    row["call"]: row["body"] for row in json.loads((Path(__file__).parent / "php_client_calls.json").read_text())
}
PHP_TYPE = "text/xml; charset=ISO-8859-1"
UNKNOWN_INVOICE, UNKNOWN_RESERVATION, NO_SUCH_CUSTOMER = 8101, 9109, 2302
APACHE = "http://ws.apache.org/xmlrpc/namespaces/extensions"


def said(answer: httpx.Response) -> Any:
    """The value of an answer, or the number of its fault."""
    try:
        return loads(answer.content)[0][0]
    except Fault as fault:
        return fault.faultCode


@pytest.mark.parametrize("call", RECORDED)
def test_what_the_php_client_sends_is_understood_and_its_digest_believed(older: OlderKlarna, call: str) -> None:
    answer = said(older.post(RECORDED[call].encode("iso-8859-1"), PHP_TYPE, "/"))
    is_about_an_invoice = "invoice" in call or call.startswith(("credit_", "return_"))
    refusal = UNKNOWN_INVOICE if is_about_an_invoice else UNKNOWN_RESERVATION
    assert not isinstance(answer, int) or answer == refusal


def test_a_purchase_of_the_php_client_is_in_the_books_with_its_letters_and_amounts(older: OlderKlarna) -> None:
    rno, status = said(older.post(RECORDED["reserve_amount"].encode("iso-8859-1"), PHP_TYPE))
    order = older.row(rno)
    lines = [
        (line["reference"], line["name"], line["quantity"], line["total_amount"]) for line in json.loads(order["lines"])
    ]
    assert (status, order["order_amount"], order["currency"]) == (1, 21550, "SEK")
    assert lines == [("ART1", "Växt", 2, 20100), ("", "Frakt", 1, 1450)]
    [kept] = older.sandbox.rows("SELECT details FROM order_details WHERE order_id = ?", rno)
    assert json.loads(kept["details"])["billing_address"]["street_address"] == "Stårgatan 1"


def test_ways_to_pay_in_parts_have_the_ten_values_that_clients_read(older: OlderKlarna) -> None:
    ways = said(older.post(RECORDED["get_pclasses"].encode("iso-8859-1"), PHP_TYPE))
    assert [[type(value) for value in way] for way in ways] == [[int, str, *[int] * 7, str]] * len(ways)
    assert {way[7] for way in ways} == {209}
    assert older.call("get_pclasses", EID, 2, digest(EID, 2), 209, 138) == []


def test_a_person_is_found_by_the_numbers_that_a_shop_gave_until_they_are_taken_away(older: OlderKlarna) -> None:
    pno = "410321-9202"

    def numbers() -> list[str]:
        return older.call("get_customer_no", pno, EID, digest(EID, pno), 2)

    assert numbers() == []
    for number in ("c7", "c8"):
        assert older.call("set_customer_no", pno, number, EID, digest(EID, pno, number), 2) == "ok"
    assert numbers() == ["c7", "c8"]
    assert older.call("remove_customer_no", "c7", EID, digest(EID, "c7")) == "ok"
    assert numbers() == ["c8"]
    assert older.fault("remove_customer_no", "c7", EID, digest(EID, "c7")) == NO_SUCH_CUSTOMER


def test_a_customer_number_is_given_to_nobody_with_a_wrong_digest(older: OlderKlarna) -> None:
    assert older.fault("set_customer_no", "410321-9202", "c9", EID, digest(EID, "c9"), 2) == 9114
    assert older.sandbox.rows("SELECT 1 FROM customer_numbers WHERE number = 'c9'") == []


# --- the same call in other forms --------------------------------------------------------------------------------


def call_of(method: str, *values: str) -> bytes:
    """A call whose values are written by hand; a text stands for itself."""
    params = "".join(f"<param><value>{value}</value></param>" for value in (*VERSIONS, *values))
    return f"<methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>".encode("iso-8859-1")


def struct(**members: str) -> str:
    inner = (
        f"<member><name>{name.strip('_')}</name><value>{value}</value></member>" for name, value in members.items()
    )
    return f"<struct>{''.join(inner)}</struct>"


def array(*values: str) -> str:
    return f"<array><data>{''.join(f'<value>{value}</value>' for value in values)}</data></array>"


NOTHING = {
    "a text": "<string></string>",
    "an untyped value": "",
    "a list": "<array><data/></array>",
    "a struct": "<struct/>",
    "nil": "<nil/>",
    "a nil of the extension": f'<ex:nil xmlns:ex="{APACHE}"/>',
}


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING.keys())
def test_every_form_of_nothing_leaves_an_order_as_it_was(older: OlderKlarna, nothing: str) -> None:
    rno = older.rno()
    before = older.row(rno)
    signed = digest("4", "1", VERSIONS[1], EID, rno, "n1")
    info = struct(goods_list=nothing, dlv_addr=nothing, bill_addr=nothing, orderid1="n1", orderid2=nothing)
    assert said(older.post(call_of("update", str(EID), signed, rno, info))) == "ok"
    after = older.row(rno)
    assert (after["lines"], after["merchant_reference2"]) == (before["lines"], "n1")


@pytest.mark.parametrize("nothing", NOTHING.values(), ids=NOTHING.keys())
def test_every_form_of_no_articles_activates_the_whole(older: OlderKlarna, nothing: str) -> None:
    rno = older.ripe_rno()
    signed = digest("4", "1", VERSIONS[1], EID, rno, 1)
    info = struct(artnos=nothing, shipment_info=struct(delay_adjust="<int>1</int>"))
    answer = said(older.post(call_of("activate", f"<int>{EID}</int>", signed, rno, info)))
    assert answer[0] == "ok"
    assert older.row(rno)["status"] == "CAPTURED"


LISTS = {
    "a list": lambda entry: array(entry),
    "a struct with numbers as names": lambda entry: struct(_0=entry),
    "a struct that begins at 3": lambda entry: struct(_3=entry),
}


@pytest.mark.parametrize("listed", LISTS.values(), ids=LISTS.keys())
@pytest.mark.parametrize("quantity", ["<int>1</int>", "<i4>1</i4>", "<string>1</string>", "1", "<double>1</double>"])
def test_articles_come_as_list_or_struct_and_quantities_in_any_type(
    older: OlderKlarna, listed: Any, quantity: str
) -> None:
    invno = older.invoice()
    artnos = listed(struct(artno="PLANT", qty=quantity))
    signed = digest(EID, invno, "PLANT", 1)
    assert said(older.post(call_of("credit_part", str(EID), invno, artnos, "c1", signed))) == invno
    assert older.call(*older.on_invoice("invoice_amount", invno)) == 0


@pytest.mark.parametrize(
    "vat", ["<int>25</int>", "<double>25</double>", "<double>25.0</double>", "<string>25</string>"]
)
@pytest.mark.parametrize("flags", ["<int>32</int>", "<string>32</string>", "<double>32.0</double>"])
def test_rates_and_flags_come_as_any_number(older: OlderKlarna, vat: str, flags: str) -> None:
    invno = older.invoice()
    values = (f"<i4>{EID}</i4>", invno, "<int>500</int>", vat, digest(EID, invno), flags, "Förlåt")
    assert said(older.post(call_of("return_amount", *values), PHP_TYPE)) == invno
    [credit] = older.sandbox.rows("SELECT * FROM refunds WHERE capture_id = ?", invno)
    assert (credit["amount"], json.loads(credit["lines"])[0]["total_tax_amount"]) == (500, 100)


@pytest.mark.parametrize(
    ("asked", "is_moved"),
    [
        *(("<boolean>1</boolean>", False), ("<int>1</int>", False), ("<string>true</string>", False)),
        *(("<boolean>0</boolean>", True), ("<int>0</int>", True), ("<string>0</string>", True), ("", True)),
    ],
)
def test_yes_and_no_come_in_any_type(older: OlderKlarna, asked: str, is_moved: bool) -> None:
    invno = older.invoice()
    wish = struct(days="<int>14</int>", calculate_only=asked)
    answer = said(older.post(call_of("extend_invoice_due_date", str(EID), invno, digest(EID, invno), wish)))
    changes = older.sandbox.rows("SELECT 1 FROM changes WHERE capture_id = ?", invno)
    assert (answer["cost"], bool(changes)) == (700, is_moved)


def test_a_text_may_come_as_base64_or_as_an_instant(older: OlderKlarna) -> None:
    rno = older.rno()
    for text in (
        f"<base64>{base64.b64encode(b'o-1').decode()}</base64>",
        "<dateTime.iso8601>20280101T10:00:00</dateTime.iso8601>",
    ):
        plain = "o-1" if "base64" in text else "20280101T10:00:00"
        info = struct(orderid1=text)
        signed = digest("4", "1", VERSIONS[1], EID, rno, plain)
        assert said(older.post(call_of("update", str(EID), signed, rno, info))) == "ok"
        assert older.row(rno)["merchant_reference2"] == plain


CHARSETS = {
    "in the prolog": ("iso-8859-1", "<?xml version='1.0' encoding='iso-8859-1'?>", "text/xml"),
    "in capitals and double quotes": ("iso-8859-1", '<?xml version="1.0" encoding="ISO-8859-1" ?>', "text/xml"),
    "in the header alone": ("iso-8859-1", "", "text/xml; charset=ISO-8859-1"),
    "UTF-8 by default": ("utf-8", "", "text/xml"),
    "UTF-8 under a header that says otherwise": ("utf-8", "<?xml version='1.0' encoding='utf-8'?>", PHP_TYPE),
    "as references": ("ascii", "<?xml version='1.0'?>", "text/xml"),
}


@pytest.mark.parametrize(("charset", "prolog", "content_type"), CHARSETS.values(), ids=CHARSETS.keys())
def test_letters_are_signed_in_iso_8859_1_in_whichever_charset_they_come(
    older: OlderKlarna, charset: str, prolog: str, content_type: str
) -> None:
    rno, name = older.rno(), "Blomsterlådan"
    signed = digest("4", "1", VERSIONS[1], EID, rno, name)
    call = prolog + call_of("update", str(EID), signed, rno, struct(orderid1=name)).decode("iso-8859-1")
    assert said(older.post(call.encode(charset, "xmlcharrefreplace"), content_type)) == "ok"
    assert older.row(rno)["merchant_reference2"] == name


def test_a_goods_list_with_a_gap_in_its_keys_replaces_the_goods(older: OlderKlarna) -> None:
    rno, line = older.rno(), good(5000)
    goods = {name: f"<int>{value}</int>" if isinstance(value, int) else value for name, value in line["goods"].items()}
    entry = struct(goods=struct(**goods), qty="<int>1</int>")
    signed = digest("4", "1", VERSIONS[1], EID, rno, *article(1).values())
    info = struct(goods_list=struct(_1=entry))
    assert said(older.post(call_of("update", str(EID), signed, rno, info))) == "ok"
    assert older.row(rno)["order_amount"] == 5000
