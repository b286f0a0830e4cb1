"""What Klarna's older refusals mean in our words: one table of faults and HTTP statuses, by kind of call.

Decided by the number, never by the text. What the table does not list is nobody's decision: `UNKNOWN` where money
moves, `REFUSED` where it does not. Sources are sections of the legacy wire facts and of the charging rules; "guess"
says that no document of Klarna's does.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from billing.domain.operations import OperationKind


class Verdict(StrEnum):
    """What follows from an answer that is no success; the first two are a declined charge."""

    SOFT = "soft"
    HARD = "hard"
    REFUSED = "refused"
    POSTPONED = "postponed"
    ACCOUNT_STOPPED = "account_stopped"
    UNKNOWN = "unknown"


class Channel(StrEnum):
    """Where a number was said: a fault of order management, or the HTTP status of a recurring order."""

    FAULT = "fault"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Row:
    """One documented refusal."""

    channel: Channel
    code: int
    name: str
    verdict: Verdict
    source: str
    kinds: frozenset[OperationKind] = frozenset(OperationKind)


_ASSESSED = frozenset({OperationKind.EXTEND})
"""An extension is a new credit assessment, and its refusal a refused charge (charging rules, section 2)."""

_ALREADY_SO: Mapping[OperationKind, tuple[int, ...]] = {
    OperationKind.VOID: (8104, 9109),
    OperationKind.RELEASE: (8104, 9109),
    OperationKind.REFUND: (8104,),
}
"""A bad status, or a reservation of which nothing is left and which is forgotten."""

_MAY_HAVE_ENDED: Mapping[OperationKind, tuple[int, ...]] = {OperationKind.CAPTURE: (8104, 9109)}
"""How an expired, canceled or activated reservation answers, without telling which of them it is."""

_MOVES_NO_MONEY = frozenset(
    {
        OperationKind.AMEND,
        OperationKind.SHIP,
        OperationKind.EXTEND,
        OperationKind.EMAIL_INVOICE,
        OperationKind.REVOKE,
    }
)


def verdict(kind: OperationKind, channel: Channel, code: int) -> Verdict:
    """What a refusal means for a call of `kind`. Never raises: what is not listed has a rule too."""
    row = listed(kind, channel, code)
    if row is not None:
        return row.verdict
    is_refusal = channel is Channel.FAULT or 400 <= code < 500
    return Verdict.REFUSED if is_refusal and kind in _MOVES_NO_MONEY else Verdict.UNKNOWN


def listed(kind: OperationKind, channel: Channel, code: int) -> Row | None:
    """The row that speaks of this refusal."""
    return _TABLE.get((kind, channel, code))


def is_already_so(kind: OperationKind, fault: int) -> bool:
    """Whether this fault is how a call of `kind` is answered that is made twice (wire 7; which code is a guess).

    A whole capture is not among them: its refusal does not tell the number of the invoice.
    """
    return fault in _ALREADY_SO.get(kind, ())


def may_have_ended(kind: OperationKind, fault: int) -> bool:
    """Whether this fault can mean that the reservation has expired (wire 5; which code is a guess)."""
    return fault in _MAY_HAVE_ENDED.get(kind, ())


def _faults(
    codes: Iterable[int],
    names: str,
    verdict: Verdict,
    source: str = "wire 4",
    kinds: frozenset[OperationKind] = frozenset(OperationKind),
) -> Iterator[Row]:
    numbers, words = list(codes), names.split()
    # A family that the documents name as a whole has one word for all its members.
    family = words * len(numbers) if len(words) == 1 else words
    for code, name in zip(numbers, family, strict=True):
        yield Row(Channel.FAULT, code, name, verdict, source, kinds)


def _status(code: int, name: str, verdict: Verdict, source: str) -> Row:
    return Row(Channel.STATUS, code, name, verdict, source, frozenset({OperationKind.PURCHASE}))


_CREDIT = (*range(2101, 2108), 2999)
_CREDIT_NAMES = (
    "credit amount customer_credit_overrun blocked unpaid_bills customer_not_accepted customer_blacklisted"
    " misc_customer_error"
)
_PERSON = range(2201, 2207)
_PERSON_NAMES = "pno invalid_pno pno_not_real_person dead under_aged customer_not_18"
_CUSTOMER = (*range(2301, 2306), *range(2401, 2406))
_OTHERS = frozenset(OperationKind) - _ASSESSED

FAULTS: tuple[Row, ...] = (
    # The caller, not the request: nothing happened.
    *_faults((1103, 1104), "estore_overrun estore_blacklisted", Verdict.ACCOUNT_STOPPED, "charging 2; wire 4"),
    *_faults((9113, 9114), "unknown_estore invalid_estore_secret", Verdict.ACCOUNT_STOPPED, "charging 2; wire 4"),
    *_faults((1999,), "misc_estore_error", Verdict.REFUSED, "wire 4 (charging 2 does not stop the account for it)"),
    # The customer: a decline where there is a new assessment.
    *_faults(_CREDIT, _CREDIT_NAMES, Verdict.SOFT, "wire 4; charging 2 (capture refused)", _ASSESSED),
    *_faults(_CREDIT, _CREDIT_NAMES, Verdict.REFUSED, "wire 4", _OTHERS),
    *_faults(_PERSON, _PERSON_NAMES, Verdict.SOFT, "wire 4; charging 2 (capture refused)", _ASSESSED),
    *_faults(_PERSON, _PERSON_NAMES, Verdict.REFUSED, "wire 4", _OTHERS),
    *_faults(_CUSTOMER, "customer_or_pin_or_orgno", Verdict.SOFT, "wire 4; charging 2 (capture refused)", _ASSESSED),
    *_faults(_CUSTOMER, "customer_or_pin_or_orgno", Verdict.REFUSED, "wire 4", _OTHERS),
    # What we sent.
    *_faults(
        range(3101, 3109),
        "foreign_addr bad_addr bad_address postno bad_postno bad_name address no_address",
        Verdict.REFUSED,
    ),
    *_faults(range(3201, 3209), "cellno telno email country city postno street client_ip", Verdict.REFUSED),
    *_faults(range(3209, 3212), "proto_vsn goods_list artnos", Verdict.REFUSED),
    *_faults((*range(3301, 3305), 3999), "name_or_address_mismatch", Verdict.REFUSED),
    *_faults((*range(6101, 6105), 6999), "pclass", Verdict.REFUSED),
    *_faults((*range(7101, 7106), 7999), "subscription", Verdict.REFUSED),
    # The invoice or reservation is not in the state for it.
    *_faults(
        range(8101, 8108),
        "unknown_invoice negative_invoice invoice_not_active invoice_bad_status invoice_is_passive"
        " invoice_is_archived invoice_is_suspect",
        Verdict.REFUSED,
    ),
    *_faults((8108,), "invoice_is_frozen", Verdict.POSTPONED, "wire 4 (guess: it may clear by itself)"),
    *_faults(
        range(8109, 8115),
        "invoice_is_pre_pay invoice_stale invoice_not_passive_or_frozen invoice_in_test_mode invoice_not_passive invno",
        Verdict.REFUSED,
    ),
    *_faults((8999,), "misc_invoice_error", Verdict.REFUSED),
    *_faults((9103, 9105, 9106), "not_allowed_operation bad_type unknown_type", Verdict.REFUSED),
    *_faults(range(9107, 9113), "bad_artnolist unknown_artno rno split bad_order_no bad_ocr", Verdict.REFUSED),
    *_faults(range(9115, 9119), "bad_module_vsn pno_encoding currency currency_mismatch", Verdict.REFUSED),
    *_faults((9120,), "not_sold_in_this_country", Verdict.REFUSED),
    # Klarna's own trouble: it may have happened.
    *_faults((9119,), "timeout", Verdict.UNKNOWN),
    *_faults((-1, -2, -3, -4, -5, -99), "unspecific", Verdict.UNKNOWN),
    *_faults((0,), "success_to_some", Verdict.UNKNOWN, "wire 4 (one client takes it for a success)"),
)

STATUSES: tuple[Row, ...] = (
    _status(402, "Payment Required", Verdict.SOFT, "wire 6: final for this attempt, a later one is a new order"),
    _status(401, "Unauthorized", Verdict.ACCOUNT_STOPPED, "charging 2; wire 6"),
    _status(403, "Forbidden", Verdict.ACCOUNT_STOPPED, "charging 2: no error code comes with it; wire 6"),
    _status(400, "Bad Request", Verdict.REFUSED, "charging 2; wire 6"),
    _status(404, "Not Found", Verdict.REFUSED, "charging 2: unless the token is not found either"),
    _status(406, "Not Acceptable", Verdict.REFUSED, "wire 6 (guess: a bug)"),
    _status(409, "Conflict", Verdict.REFUSED, "charging 2: a first one, and there is no second"),
    _status(412, "Precondition Failed", Verdict.REFUSED, "wire 6 (guess: a person decides)"),
    _status(413, "Content Too Large", Verdict.REFUSED, "charging 2"),
    _status(415, "Unsupported Media Type", Verdict.REFUSED, "wire 6 (guess: a bug)"),
    _status(422, "Unprocessable Content", Verdict.REFUSED, "charging 2; wire 6"),
    _status(428, "Precondition Required", Verdict.REFUSED, "wire 6 (guess: a person decides)"),
    _status(429, "Too Many Requests", Verdict.UNKNOWN, "charging 2: a legacy 429"),
    _status(500, "Internal Server Error", Verdict.UNKNOWN, "charging 2; wire 6"),
    _status(502, "Bad Gateway", Verdict.UNKNOWN, "charging 2; wire 6"),
    _status(503, "Service Unavailable", Verdict.UNKNOWN, "charging 2; wire 6"),
    _status(504, "Gateway Timeout", Verdict.UNKNOWN, "charging 2; wire 6"),
)

ROWS = FAULTS + STATUSES

_TABLE = {(kind, row.channel, row.code): row for row in ROWS for kind in row.kinds}
