"""The end of a world: its faults are over, everything must come to rest, and both books are compared."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import httpx
from faults.killing.life import go_on, wired
from faults.killing.mark import Mark
from faults.killing.world import World
from sqlmodel import col, select

from billing.adapters.clock import SimulatedClock
from billing.bootstrap import Wiring
from billing.domain.decisions import Then, Verb
from billing.domain.errors import BillingError
from billing.domain.money import Money
from billing.domain.operations import OperationKind, OperationStatus
from billing.scheduler import Loops
from billing.store.decisions import Decision
from billing.store.operations import Operation
from billing.use_cases.decide import Word, decide
from billing.use_cases.lowering import ORDER_NUMBER
from billing.verify import check

CALM = timedelta(days=3)
BY, WHY = "operator", "looked at the provider's records"
_OPEN = [s.value for s in (OperationStatus.SENDING, OperationStatus.UNKNOWN, OperationStatus.NEEDS_OPERATOR)]
_MOVES = {"capture": ("captures", "capture_id"), "refund": ("refunds", "refund_id")}


@dataclass(slots=True)
class Verdict:
    """What a world came to. `breaches` are sentences; empty means that every promise was kept."""

    charges: int = 0
    duplicates: int = 0
    lost: int = 0
    decided: list[str] = field(default_factory=list)
    """Operations that a person decided about, by id in hex."""
    settled: dict[str, str] = field(default_factory=dict)
    """By operation id in hex: when its outcome was written down, ISO 8601."""
    breaches: list[str] = field(default_factory=list)


def judged(world: World, mark: Mark) -> Verdict:
    """Let the world come to rest, then judge it."""
    clock = SimulatedClock(mark.now)
    wiring = wired(world, mark, clock)
    wiring.database.batch_size = 100
    verdict = Verdict()
    _rest(world, wiring, mark, clock, verdict)
    with wiring.database.tx() as session:
        operations = session.exec(select(Operation)).all()
        decided = set(session.exec(select(col(Decision.operation_id))))
    verdict.decided = [id_.hex for id_ in decided if id_ is not None]
    verdict.settled = {op.id.hex: op.settled_at.isoformat() for op in operations if op.settled_at}
    verdict.breaches += [f"{op.kind} {op.id} is still {op.status}" for op in operations if op.status in _OPEN]
    wiring.close()
    compare(world, verdict)
    report = check(world.database_url, now=clock.now(), ledgers=[f"main={world.write_ledger()}"])
    lost = [one for one in report.findings if one.invariant == "I2"]
    verdict.lost = sum(one.offending for one in lost)
    if not report.holds:
        verdict.breaches.append(report.as_text())
    return verdict


def compare(world: World, verdict: Verdict) -> None:
    """An invoice has at most one order that stands, whatever it took to place it."""
    orders = world.sandbox.rows("SELECT order_id, merchant_reference1, status, captured_amount FROM orders")
    verdict.charges = len(orders)
    gone = ("CANCELLED", "EXPIRED", "CLOSED")
    standing = Counter(o["merchant_reference1"] for o in orders if o["status"] not in gone or o["captured_amount"])
    twice = sorted(name for name, count in standing.items() if count > 1)
    verdict.duplicates = len(twice)
    verdict.breaches += [f"{name} has {standing[name]} orders that stand" for name in twice]


def _rest(world: World, wiring: Wiring, mark: Mark, clock: SimulatedClock, verdict: Verdict) -> None:
    loops, until = Loops(wiring, watches=False), clock.now() + CALM
    asked: set[tuple[str, UUID | None]] = set()
    with httpx.Client(base_url=world.sandbox.url, timeout=20) as client:
        while True:
            loops.until_idle()
            answered = _answer(world, wiring, verdict, asked)
            due = loops.next_due_at()
            if answered:
                go_on(world, client, mark, clock, clock.now() + timedelta(seconds=1))
            elif due is None or max(due, clock.now() + timedelta(seconds=1)) > until:
                return
            else:
                go_on(world, client, mark, clock, max(due, clock.now() + timedelta(seconds=1)))


def _answer(world: World, wiring: Wiring, verdict: Verdict, asked: set[tuple[str, UUID | None]]) -> int:
    """What needs a person gets one, who looks into the provider's records; returns how many were decided."""
    with wiring.database.tx() as session:
        waiting = session.exec(select(Operation).where(Operation.status == OperationStatus.NEEDS_OPERATOR.value)).all()
    done = 0
    for operation in waiting:
        refused = []
        about = operation.kind, operation.purchase_id
        for word in _words(world, wiring, operation, is_asked=about in asked):
            asked.add(about)
            try:
                arguments = (wiring.database, wiring.accounts, wiring.ids, wiring.namespace, wiring.clock.now())
                decide(*arguments, operation.id, word)
            except BillingError as error:
                refused.append(f"{word.verb}: {error.message}")
            else:
                done += 1
                break
        else:
            verdict.breaches.append(f"nobody can answer {operation.kind} {operation.id}: {refused}")
    return 0 if verdict.breaches else done


def _words(world: World, wiring: Wiring, operation: Operation, *, is_asked: bool) -> list[Word]:
    """What a person would say, the first that is possible; what was refused again once `is_asked` is given up."""
    found, amount = _found(world, wiring, operation), Money(operation.amount, operation.currency)
    if found is not None:
        return [Word(Verb.LINK, BY, WHY, found, amount, unverified=True)]
    if _shows(world, wiring, operation):
        return [Word(Verb.LINK, BY, WHY, unverified=True)]
    retired = [Word(Verb.RETIRE, BY, WHY, then=then, unverified=True) for then in (Then.PURCHASE_AGAIN, Then.LEAVE)]
    again = Word(Verb.ALLOW_AGAIN, BY, WHY, unverified=True)
    given_up = [*retired, Word(Verb.RETIRE, BY, WHY, unverified=True)]
    return given_up if is_asked or operation.kind == OperationKind.PURCHASE else [again, *given_up]


def _shows(world: World, wiring: Wiring, operation: Operation) -> bool:
    """Whether the provider's order carries the number that it was to be given."""
    number = operation.details.get(ORDER_NUMBER)
    if operation.kind != OperationKind.AMEND or number is None:
        return False
    with wiring.database.tx() as session:
        order_id = session.get_one(Operation, operation.purchase_id).provider_id
    (order,) = world.sandbox.rows("SELECT merchant_reference1 FROM orders WHERE order_id = ?", order_id)
    return bool(order["merchant_reference1"] == number)


def _found(world: World, wiring: Wiring, operation: Operation) -> str | None:
    """What the provider calls it, None where it has no record of it."""
    if operation.kind == OperationKind.PURCHASE:
        orders = world.sandbox.rows("SELECT * FROM orders WHERE merchant_reference2 = ?", operation.merchant_reference)
        return orders[0]["order_id"] if orders else None
    if operation.kind not in _MOVES or operation.purchase_id is None:
        return None
    table, name = _MOVES[operation.kind]
    with wiring.database.tx() as session:
        purchase = session.get_one(Operation, operation.purchase_id)
        siblings = session.exec(select(Operation).where(Operation.purchase_id == purchase.id)).all()
    known = {op.provider_id for op in siblings if op.id != operation.id} | {
        op.merchant_reference for op in siblings if op.id != operation.id
    }
    moves = world.sandbox.rows(f"SELECT * FROM {table} WHERE order_id = ?", purchase.provider_id)
    mine = [m for m in moves if m["amount"] == operation.amount and not {m[name], m["reference"]} & known]
    return mine[0][name] if mine else None
