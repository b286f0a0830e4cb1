"""Which XML-RPC methods there are: their parameters in wire order, what is signed, and who answers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from billing.sandbox import customer_numbers, digests, invoices, reservations, xmlrpc
from billing.sandbox.arguments import Arguments
from billing.sandbox.merchant import EID
from billing.sandbox.part_payments import part_payments
from billing.sandbox.wire import Answer, Call, Refusal, XmlRpcFault
from billing.sandbox.world import World

BAD_TYPE, UNKNOWN_METHOD, BAD_PROTOCOL = 9105, 9106, 3209
UNKNOWN_ESTORE, BAD_SECRET = 9113, 9114
PROTOCOLS = ("4.0", "4.1")


@dataclass(frozen=True, slots=True)
class Method:
    """`parameters` follow the two versions; the last `optional` of them may be missing."""

    parameters: str
    signed: digests.Signed
    handler: Callable[[World, Arguments], Any]
    optional: int = 0


_BY_RNO = ("eid", "rno")
_BY_INVNO = ("eid", "invno")
_RESERVE = (
    "pno gender amount reference reference_code orderid1 orderid2 dlv_addr bill_addr client_ip flags currency country"
    " language eid digest pno_encoding pclass goods_list comment shipment_info travel_info income_info bank_info"
    " session_ids extra_info"
)
_ACTIVATE_OLD = (
    "rno ocr pno gender reference reference_code orderid1 orderid2 dlv_addr bill_addr client_ip flags currency country"
    " language eid digest pno_encoding pclass goods_list comment shipment_info travel_info income_info bank_info"
    " extra_info"
)


def _known_address(world: World, arguments: Arguments) -> list[list[Any]]:  # noqa: ARG001  one signature for all
    """The one person whom everybody is here; the number is Sweden's, where alone the call is allowed."""
    return [["Testperson-se", "Approved", "Stårgatan 1", "12345", "Ankeborg", 209]]


METHODS: dict[str, Method] = {
    "cancel_reservation": Method("rno eid digest", _BY_RNO, reservations.cancel),
    "update": Method("eid digest rno update_info", digests.update, reservations.update),
    "activate": Method("eid digest rno optional_info", digests.activation, reservations.activate, 1),
    "activate_reservation": Method(_ACTIVATE_OLD, digests.person_and_goods, reservations.activate_reservation, 7),
    "extend_expiry_date": Method("rno eid digest", _BY_RNO, reservations.extend_expiry_date),
    "change_reservation": Method("rno amount eid digest flags", (*_BY_RNO, "amount"), reservations.change, 1),
    "split_reservation": Method(
        "rno amount orderid1 orderid2 flags eid digest", (*_BY_RNO, "amount"), reservations.split
    ),
    "reserve_amount": Method(_RESERVE, ("eid", "pno", "amount"), reservations.reserve, 7),
    "check_order_status": Method("eid digest id type", ("eid", "id"), reservations.check_status, 1),
    "reserve_ocr_nums": Method("count eid digest country", ("eid", "count"), reservations.reserve_ocr_numbers, 1),
    "credit_part": Method("eid invno artnos credno digest flags goods_list", digests.articles, invoices.credit_part, 2),
    "credit_invoice": Method("eid invno credno digest", _BY_INVNO, invoices.credit_invoice),
    "return_amount": Method("eid invno amount vat digest flags description", _BY_INVNO, invoices.return_amount, 2),
    "email_invoice": Method("eid invno digest", _BY_INVNO, invoices.email_invoice),
    "send_invoice": Method("eid invno digest", _BY_INVNO, invoices.send_invoice),
    "invoice_amount": Method("eid invno digest", _BY_INVNO, invoices.invoice_amount),
    "invoice_address": Method("eid invno digest", _BY_INVNO, invoices.invoice_address),
    "invoice_part_amount": Method("eid invno artnos digest", digests.articles, invoices.invoice_part_amount),
    "extend_invoice_due_date": Method("eid invno digest info", _BY_INVNO, invoices.extend_due_date, 1),
    "has_account": Method("eid pno digest pno_encoding", ("eid", "pno"), lambda _world, _arguments: "false", 1),
    "get_addresses": Method("pno eid digest pno_encoding type client_ip", ("eid", "pno"), _known_address, 1),
    "get_pclasses": Method("eid currency digest country language", ("eid", "currency"), part_payments, 2),
    "get_customer_no": Method("pno eid digest pno_encoding", ("eid", "pno"), customer_numbers.get_customer_no, 1),
    "set_customer_no": Method(
        "pno custno eid digest pno_encoding", ("eid", "pno", "custno"), customer_numbers.set_customer_no, 1
    ),
    "remove_customer_no": Method("custno eid digest", ("eid", "custno"), customer_numbers.remove_customer_no),
    "update_orderno": Method("eid digest invno orderid", ("invno", "orderid"), invoices.passive_only),
    "update_goods_qty": Method("eid digest invno artno qty", ("invno", "artno", "qty"), invoices.passive_only),
    "update_charge_amount": Method("eid digest invno type amount", ("invno", "type", "amount"), invoices.passive_only),
    "activate_invoice": Method("eid invno digest pclass shipment_info", _BY_INVNO, invoices.passive_only, 2),
    "activate_part": Method("eid invno artnos digest pclass shipment_info", digests.articles, invoices.passive_only, 2),
    "delete_invoice": Method("eid invno digest", _BY_INVNO, invoices.passive_only),
}

_REFERENCES = ("rno", "invno", "credno", "id", "orderid1", "orderid2")


def read(call: Call) -> Call:
    """The call with its method in its path and its parameters read; raises XmlRpcFault for what is no method call."""
    name, parameters = xmlrpc.read_call(call.raw, call.content_type)
    method = METHODS.get(name)
    named = _references(_arguments(method, parameters, call)) if method else ()
    return replace(call, path=f"/xmlrpc/{name}", parameters=parameters, named=named)


def answer(world: World, call: Call) -> Answer:
    """Checks who calls, then does it. The order of the checks is the one in which they make sense to a caller."""
    name = call.path.removeprefix("/xmlrpc/")
    method = METHODS.get(name)
    if method is None:
        raise XmlRpcFault(UNKNOWN_METHOD, f"There is no method {name}.")
    arguments = _arguments(method, call.parameters, call)
    count = len(method.parameters.split()) + 2
    if not count - method.optional <= len(call.parameters) <= count:
        raise XmlRpcFault(BAD_TYPE, f"{name} has {count} parameters, not {len(call.parameters)}.")
    if arguments.text("proto_vsn") not in PROTOCOLS:
        raise XmlRpcFault(BAD_PROTOCOL, "The protocol version must be 4.1.")
    if arguments.whole("eid") != EID:
        raise XmlRpcFault(UNKNOWN_ESTORE, "There is no such estore.")
    if not digests.is_signed(arguments, method.signed):
        raise XmlRpcFault(BAD_SECRET, "The digest is wrong.")
    result = xmlrpc.response(method.handler(world, arguments))
    return replace(result, fault=arguments.fault)


def missing(call: Call) -> Refusal:
    """How a method says that what it is about is not there."""
    method = METHODS.get(call.path.removeprefix("/xmlrpc/"))
    is_about_invoice = method is not None and "invno" in method.parameters.split()
    code = invoices.UNKNOWN_INVOICE if is_about_invoice else reservations.UNKNOWN_RNO
    return XmlRpcFault(code, "It is not there.")


def _arguments(method: Method, parameters: tuple[Any, ...], call: Call) -> Arguments:
    names = ("proto_vsn", "client_vsn", *method.parameters.split())
    return Arguments(dict(zip(names, parameters, strict=False)), call)


def _references(arguments: Arguments) -> tuple[str, ...]:
    infos = (arguments.values.get(name) for name in ("optional_info", "update_info"))
    places = [arguments.values, *(info for info in infos if isinstance(info, dict))]
    found = (place.get(name) for place in places for name in _REFERENCES)
    return tuple(value for value in found if isinstance(value, str) and value)
