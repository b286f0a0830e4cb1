"""The gateway against the sandbox as a process of its own: every kind, every class of answer, every replay."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from billing.adapters.klarna_rest.gateway import KlarnaRest
from billing.adapters.network import Network
from billing.domain.operations import OperationKind, merchant_reference
from billing.domain.tokens import Token
from billing.ports import Call, Declined, Movement, NotSent, Outcome, Refused, Shipment, Succeeded, Unknown
from tests.fakes.calls import a_line, an_order

PURCHASE, CAPTURE, REFUND = OperationKind.PURCHASE, OperationKind.CAPTURE, OperationKind.REFUND
VOID, RELEASE, AMEND, EXTEND = OperationKind.VOID, OperationKind.RELEASE, OperationKind.AMEND, OperationKind.EXTEND
SHIP, EMAIL, LATER = OperationKind.SHIP, OperationKind.EMAIL_INVOICE, OperationKind.EXTEND_DUE_DATE
REVOKE = OperationKind.REVOKE
SPOKEN = [kind for kind in OperationKind if kind is not OperationKind.POST_INVOICE]
WITH_BODY = (PURCHASE, CAPTURE, REFUND)

BEFORE = ["silence_before", "500_before", "503_before"]
AFTER = ["silence_after", "500_after", "garbage", "truncated"]
# An answer that has no body to begin with cannot be cut short, and any success revokes a token, whatever its body.
FAULTS = [
    (kind, fault)
    for kind in SPOKEN
    for fault in BEFORE + AFTER
    if (fault != "truncated" or kind in WITH_BODY) and (fault, kind) != ("garbage", REVOKE)
]


class Account:
    """The gateway with the short ways that a test needs; `hasty` gives up on silence at once."""

    def __init__(self, sandbox: Any, network: Network) -> None:
        self.gateway, self.hasty = (
            KlarnaRest("main", sandbox.url, "sandbox", "sandbox", network, seconds) for seconds in (20.0, 1.0)
        )
        self.good_token = Token(sandbox.good_token)
        self.new_token = sandbox.token

    def call(self, kind: OperationKind, token: Token | None = None, **changes: Any) -> Call:
        key = uuid4()
        order = an_order(
            kind, merchant_reference=merchant_reference(key), invoice_reference=f"inv_{key.hex}", **changes
        )
        return Call(
            operation_id=uuid4(),
            kind=kind,
            request=self.gateway.prepare(order),
            key=key,
            amount=order.amount,
            currency=order.currency,
            merchant_reference=order.merchant_reference,
            purchase_id=order.purchase_id,
            token=(token or self.good_token) if kind in (PURCHASE, REVOKE) else None,
        )

    def send(self, call: Call, *, hasty: bool = False) -> Outcome:
        [(operation_id, outcome)] = (self.hasty if hasty else self.gateway).send([call])
        assert operation_id == call.operation_id
        return outcome

    def do(self, kind: OperationKind, token: Token | None = None, **changes: Any) -> str:
        """The provider's id of something that succeeds."""
        outcome = self.send(self.call(kind, token, **changes))
        assert isinstance(outcome, Succeeded)
        return outcome.provider_id or ""

    def prepared(self, kind: OperationKind) -> Call:
        """A call of `kind` with everything done that it needs before it."""
        if kind is PURCHASE:
            return self.call(PURCHASE)
        if kind is REVOKE:
            return self.call(REVOKE, Token(self.new_token()))
        purchase_id = self.do(PURCHASE)
        if kind is RELEASE:
            self.do(CAPTURE, purchase_id=purchase_id, amount=1, lines=())
        capture_id = self.do(CAPTURE, purchase_id=purchase_id) if kind in (REFUND, EMAIL, LATER) else None
        details = {"shipments": (Shipment("PostNord", "UU1"),)} if kind is SHIP else {}
        return self.call(kind, purchase_id=purchase_id, capture_id=capture_id, days=14, **details)


@pytest.fixture
def account(sandbox: Any) -> Iterator[Account]:
    network = Network(concurrency=4)
    yield Account(sandbox, network)
    network.close()


def effects(sandbox: Any, call: Call) -> int:
    """How often the sandbox did what `call` asks."""
    counted: dict[OperationKind, tuple[str, str | None]] = {
        PURCHASE: ("orders WHERE merchant_reference2 = ?", call.merchant_reference),
        CAPTURE: ("captures WHERE reference = ?", call.merchant_reference),
        REFUND: ("refunds WHERE reference = ?", call.merchant_reference),
        VOID: ("orders WHERE status = 'CANCELLED' AND order_id = ?", call.purchase_id),
        EMAIL: ("send_outs WHERE cause = 'trigger' AND order_id = ?", call.purchase_id),
        RELEASE: ("voids WHERE kind = 'release' AND order_id = ?", call.purchase_id),
        AMEND: ("changes WHERE kind = 'amend' AND order_id = ?", call.purchase_id),
        EXTEND: ("changes WHERE kind = 'extend' AND order_id = ?", call.purchase_id),
        SHIP: ("changes WHERE kind = 'ship' AND order_id = ?", call.purchase_id),
        LATER: ("changes WHERE kind = 'extend_due_date' AND order_id = ?", call.purchase_id),
        REVOKE: ("tokens WHERE status = 'CANCELLED' AND token_id = ?", call.token.reveal() if call.token else None),
    }
    where, value = counted[call.kind]
    return int(sandbox.rows(f"SELECT count(*) AS n FROM {where}", value)[0]["n"])


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Declined)
    return outcome.reason


def test_a_purchase_is_captured_mailed_and_refunded(account: Account) -> None:
    purchase = account.call(PURCHASE, subscription_name="Gold", interval="month", interval_count=1)
    bought = account.send(purchase)
    assert isinstance(bought, Succeeded)
    assert bought.provider_id is not None
    assert (bought.authorization, bool(bought.answer.correlation_id)) == ("authorized", True)
    capture = account.call(CAPTURE, purchase_id=bought.provider_id, description="Gold, March")
    captured = account.send(capture)
    assert isinstance(captured, Succeeded)
    account.do(EMAIL, purchase_id=bought.provider_id, capture_id=captured.provider_id)
    refund = account.call(REFUND, purchase_id=bought.provider_id, amount=500, lines=(a_line(quantity=0, amount=500),))
    refunded = account.send(refund)
    assert isinstance(refunded, Succeeded)

    order = account.gateway.read_orders([bought.provider_id])[bought.provider_id]
    assert (order.authorization, order.currency, order.amount) == ("captured", "EUR", 11900)
    assert order.merchant_reference == purchase.merchant_reference
    assert order.captures == (Movement(captured.provider_id or "", capture.merchant_reference, 11900),)
    assert order.refunds == (Movement(refunded.provider_id or "", refund.merchant_reference, 500),)
    assert order.expires_at is not None


def test_orders_are_read_authorized_part_captured_and_voided(account: Account) -> None:
    whole, part, void = (account.do(PURCHASE) for _ in range(3))
    account.do(CAPTURE, purchase_id=part, amount=1, lines=())
    account.do(VOID, purchase_id=void)
    states = account.gateway.read_orders([whole, part, void, "missing"])
    assert {id_: state.authorization for id_, state in states.items()} == {
        whole: "authorized",
        part: "part_captured",
        void: "voided",
    }


def test_an_order_expires(account: Account, sandbox: Any) -> None:
    purchase_id = account.do(PURCHASE)
    sandbox.advance(days=29)
    assert account.gateway.read_orders([purchase_id])[purchase_id].authorization == "expired"
    assert isinstance(account.send(account.call(CAPTURE, purchase_id=purchase_id)), Refused)


@pytest.mark.parametrize(
    ("behaviour", "expected", "status"),
    [("decline_soft", "soft", "active"), ("decline_hard", "hard", "revoked"), ("suspended", "suspended", "suspended")],
)
def test_a_declined_charge_says_why_and_the_token_reads_accordingly(
    account: Account, sandbox: Any, behaviour: str, expected: str, status: str
) -> None:
    token, id_ = Token(sandbox.token(behaviour)), uuid4()
    assert reason(account.send(account.call(PURCHASE, token))) == expected
    assert account.gateway.read_tokens([(id_, token)])[id_].status == status


def test_a_token_that_the_provider_does_not_know_is_revoked_and_its_charge_declined(account: Account) -> None:
    token, id_ = Token(str(uuid4())), uuid4()
    assert account.gateway.read_tokens([(id_, token)])[id_].status == "revoked"
    assert reason(account.send(account.call(PURCHASE, token))) == "hard"


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
def test_a_fault_leaves_the_outcome_open_and_the_same_key_gives_one_effect(
    account: Account, sandbox: Any, kind: OperationKind, fault: str
) -> None:
    call = account.prepared(kind)
    sandbox.script({"fault": fault, "method": call.request.method})
    assert isinstance(account.send(call, hasty=fault.startswith("silence")), Unknown)
    assert effects(sandbox, call) == (1 if fault in AFTER else 0)
    first, second = account.send(call), account.send(call)
    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert first.provider_id == second.provider_id
    assert effects(sandbox, call) == 1


@pytest.mark.parametrize("kind", SPOKEN)
def test_a_stopped_account_and_too_many_requests_do_nothing(
    account: Account, sandbox: Any, kind: OperationKind
) -> None:
    call = account.prepared(kind)
    sandbox.script(*({"fault": fault, "method": call.request.method} for fault in ("401", "429")))
    stopped, limited = account.send(call), account.send(call)
    assert isinstance(stopped, NotSent)
    assert stopped.account_stopped
    assert isinstance(limited, NotSent)
    assert (limited.account_stopped, limited.retry_after_seconds) == (False, 1)
    assert effects(sandbox, call) == 0


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("UNAVAILABLE_PAYMENT_METHOD", "hard"),
        ("TOKEN_CANCELED", "hard"),
        ("PAYMENT_METHOD_FAILED", "soft"),
        ("TOKEN_SUSPENDED", "suspended"),
    ],
)
def test_a_decline_is_repeated_under_its_key(account: Account, sandbox: Any, code: str, expected: str) -> None:
    call = account.call(PURCHASE)
    sandbox.script({"fault": "refuse", "status": 403, "error_code": code})
    assert reason(account.send(call)) == expected
    assert reason(account.send(call)) == expected
    assert effects(sandbox, call) == 0


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "TOKEN_FORBIDDEN", Refused),
        (403, "MERCHANT_INACTIVE", Refused),
        (403, "BRAND_NEW", Unknown),
        (403, None, NotSent),
        (409, "CONFLICT", Refused),
        (502, None, Unknown),
    ],
)
def test_a_scripted_refusal_is_read_by_the_table(
    account: Account, sandbox: Any, status: int, code: str | None, expected: type
) -> None:
    sandbox.script({"fault": "refuse", "status": status, "error_code": code})
    assert isinstance(account.send(account.call(PURCHASE)), expected)


def test_another_currency_than_the_tokens_is_refused(account: Account) -> None:
    outcome = account.send(account.call(PURCHASE, currency="SEK"))
    assert isinstance(outcome, Refused)
    assert outcome.answer.code == "PAYMENT_METHOD_CURRENCY_MISMATCH"


@pytest.mark.parametrize(
    ("kind", "code"), [(REFUND, "REFUND_NOT_ALLOWED"), (EMAIL, "NOT_ALLOWED"), (CAPTURE, "CAPTURE_NOT_ALLOWED")]
)
def test_what_the_order_does_not_allow_is_refused(account: Account, kind: OperationKind, code: str) -> None:
    purchase_id = account.do(PURCHASE)
    if kind is CAPTURE:
        account.do(VOID, purchase_id=purchase_id)
    outcome = account.send(account.call(kind, purchase_id=purchase_id))
    assert isinstance(outcome, Refused)
    assert outcome.answer.code == code


def test_wrong_credentials_stop_the_account(sandbox: Any, account: Account) -> None:
    network = Network(1)
    stranger = KlarnaRest("main", sandbox.url, "sandbox", "wrong", network, 20.0)
    [(_, outcome)] = stranger.send([account.call(PURCHASE)])
    network.close()
    assert isinstance(outcome, NotSent)
    assert outcome.account_stopped


def test_a_batch_of_purchases_makes_one_order_each(account: Account, sandbox: Any) -> None:
    calls = [account.call(PURCHASE) for _ in range(40)]
    outcomes = dict(account.gateway.send(calls))
    assert {type(outcome) for outcome in outcomes.values()} == {Succeeded}
    assert {effects(sandbox, call) for call in calls} == {1}
    assert len({o.provider_id for o in outcomes.values() if isinstance(o, Succeeded)}) == 40
