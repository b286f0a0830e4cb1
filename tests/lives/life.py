"""The world that lives are lived in: a shop with a clock that may stumble, ids that can be repeated, and verbs.

Every verb goes through `act`: a refusal (`BillingError`) must leave the database as it was, to the byte.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from factories import BASE_FEE, FREIGHT, GOODS, START, Shop
from fakes.gateway import FakeGateway
from hypothesis import event, note
from lives.accounts import BOOKS
from lives.idle import nothing_due_is_left
from lives.invariants import ALWAYS
from lives.watching import PROVIDER, Memory, seals_hold
from sqlalchemy import select
from sqlmodel import SQLModel
from sqlmodel import select as select_rows

from billing.domain.errors import BillingError
from billing.domain.operations import OperationKind
from billing.domain.periods import Interval
from billing.ports import Call, Succeeded
from billing.store.accounts import ProviderAccount
from billing.store.bulk import table_of
from billing.store.engine import Database
from billing.store.invoices import Invoice
from billing.store.plans import Exhausted, NumberOn, Plan, Price
from billing.store.runs import due_from
from billing.store.subscriptions import Subscription
from billing.use_cases.reopen_account import reopen_account
from billing.use_cases.seal_ledger import seal_ledger
from billing.use_cases.sending import nothing
from billing.use_cases.subscribe import NewSubscription, subscribe

TICKS_MAX = 60
"""More passes than this at one instant are no progress: something is due for ever."""

BEFORE_THE_GATE = ("claim.committed", "reveal.committed")
AUTHORIZED_FOR = timedelta(days=28)
_LATEST = START + timedelta(days=900)
_NOT_COMPARED = ("audit_reveals",)

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "monthly": ({}, {}),
    "daily": ({"interval": Interval.DAY, "items": (BASE_FEE,)}, {}),
    "weekly": ({"interval": Interval.WEEK}, {}),
    "month_end": ({"month_end": True, "items": (BASE_FEE, FREIGHT)}, {}),
    "yearly": ({"interval": Interval.YEAR, "items": (BASE_FEE,)}, {}),
    "trial": ({"trial_days": 10}, {}),
    "trial_signup": ({"trial_days": 5}, {"anchor_policy": "signup", "missing_token": "invoice_only"}),
    "numbered_early": ({"number_on": NumberOn.OPEN, "interval": Interval.WEEK}, {}),
    "unpaid": ({"exhausted": Exhausted.UNPAID, "interval": Interval.WEEK}, {"grace_days": 2}),
    "manual_end": ({"exhausted": Exhausted.MANUAL}, {}),
    "on_dispatch": ({"interval": Interval.WEEK}, {"capture": "on_dispatch"}),
    "by_hand": ({}, {"capture": "manual"}),
    "gated": ({"interval": Interval.WEEK}, {"payment_gated": True}),
    "three_cycles": ({"interval": Interval.WEEK}, {"term_cycles": 3, "notice_days": 2}),
    "by_second": ({"items": (BASE_FEE,)}, {"proration": "second"}),
}
"""What plans are offered: how the factory makes each, and what stands in its row besides."""


class Stumbling:
    """A clock that can be set back, as wall clocks are."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> None:
        self._now = min(instant, _LATEST)


class CountedIds:
    """UUIDv7 that a run of the same steps makes again, in rising order whatever the clock does."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0

    def new(self) -> UUID:
        self._count += 1
        milliseconds = int(START.timestamp() * 1000) + self._count
        return UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | self._random.getrandbits(60))

    def secret(self, size: int) -> bytes:
        return self._random.randbytes(size)


@dataclass
class Provider(FakeGateway):
    """The fake provider with authorizations that end, and may be extended, amended and released."""

    clock: Stumbling = field(default_factory=lambda: Stumbling(START))

    def _success(self, call: Call) -> Succeeded:
        done = super()._success(call)
        lasts = call.kind in (OperationKind.PURCHASE, OperationKind.EXTEND)
        return replace(done, expires_at=self.clock.now() + AUTHORIZED_FOR) if lasts else done

    def _apply(self, call: Call, outcome: Succeeded) -> None:
        super()._apply(call, outcome)
        order = self.orders.get(call.purchase_id or "")
        if order is None:
            return
        changes: dict[OperationKind, dict[str, Any]] = {
            OperationKind.EXTEND: {"expires_at": outcome.expires_at},
            OperationKind.AMEND: {"amount": call.amount},
            OperationKind.RELEASE: {"authorization": "released"},
        }
        self.orders[order.purchase_id] = replace(order, **changes.get(call.kind, {}))


class Died(Exception):
    """The process was killed at a step."""


@dataclass
class Life(Shop):
    """A shop whose every tick and verb is judged."""

    clock: Stumbling = field(default_factory=lambda: Stumbling(START))  # type: ignore[assignment]  # stands in for it
    ids: CountedIds = field(default_factory=lambda: CountedIds(1))  # type: ignore[assignment]  # stands in for it
    gateway: Provider = field(default_factory=Provider)
    memory: Memory = field(default_factory=Memory)
    prices: dict[str, UUID] = field(default_factory=dict)
    is_idle: bool = False
    """Whether nothing has happened since a tick that went through."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gateway.clock = self.clock

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def offered(self, kind: str) -> UUID:
        """The price of a kind of plan, made when it is first wanted."""
        if kind not in self.prices:
            arguments, columns = KINDS[kind]
            self.prices[kind] = self.price(**arguments)
            with self.database.tx() as session:
                plan_id = session.get_one(Price, self.prices[kind]).plan_id
                plans = table_of(Plan)
                if columns:
                    session.execute(plans.update().where(plans.c.id == plan_id).values(**columns))
        return self.prices[kind]

    def begin(self, kind: str, zone: str, customer_id: UUID | None, start_at: datetime | None) -> None:
        customer_id = customer_id or self.customer(zone=zone)
        new = NewSubscription(customer_id, self.offered(kind), self.token(customer_id), start_at)
        self.act(subscribe, self.database, self.ids, self.now, new)

    def act(self, verb: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What the verb returns, or None where it was refused: then nothing may have changed."""
        before = digest(self.database)
        self.is_idle = False
        try:
            return verb(*arguments, **named)
        except BillingError as refused:
            note(f"  {verb.__name__} refused: {type(refused).__name__}: {refused.message}")
            event(f"{verb.__name__} refused")
            assert digest(self.database) == before, f"{verb.__name__} was refused and has changed something"
            return None

    def look(self, verb: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What a preview returns, or None where it was refused; either way nothing may have changed."""
        before = digest(self.database)
        try:
            return verb(*arguments, **named)
        except BillingError:
            return None
        finally:
            assert digest(self.database) == before, f"{verb.__name__} only looks, and has changed something"

    def tick(self) -> None:
        """All loops until nothing is due; a process that dies on the way is started again later."""
        try:
            for _ in range(TICKS_MAX):
                if not self.once():
                    break
            else:
                raise AssertionError(f"something is still due after {TICKS_MAX} passes: {self._due()}")
        except Died:
            note("  died")
            self.is_idle = False
            return
        seal_ledger(self.database, self.now)
        self.is_idle = True

    def die_at(self, step: str, times: int) -> None:
        """Kill the process when it passes `step` for the nth time."""
        left = [times]

        def passed(name: str) -> None:
            left[0] -= name == step
            if left[0] == 0:
                left[0] = -1
                raise Died

        self.passed = passed

    def meanwhile(self, step: str, act: Callable[[], None]) -> None:
        """Let `act` happen in the middle of a pass, once, when it passes `step`."""

        def passed(name: str) -> None:
            if name == step:
                self.passed = nothing
                act()
                if step in BEFORE_THE_GATE:
                    # From here on nothing may be charged for whom that has closed.
                    with self.database.tx() as session:
                        self.memory.look(session, self.gateway)

        self.passed = passed

    def next_due(self) -> datetime | None:
        """When something becomes due next."""
        with self.database.tx() as session:
            return due_from(session).first()

    def is_halted(self) -> bool:
        """Whether nothing leaves through the provider account now."""
        with self.database.tx() as session:
            return session.get_one(ProviderAccount, "main").halted_at is not None

    def reopen(self) -> None:
        self.act(reopen_account, self.database, self.ids, self.now, "main", "it is over")

    def check(self) -> None:
        """Every invariant, at this moment."""
        with self.database.tx() as session:
            for holds in (*ALWAYS, *BOOKS):
                holds(session)
            for agrees in PROVIDER:
                agrees(session, self.gateway)
            self.memory.look(session, self.gateway)
            if self.is_idle and session.get_one(ProviderAccount, "main").halted_at is None:
                nothing_due_is_left(session, self.now)
        seals_hold(self.database, self.now)

    def subscriptions(self) -> list[Subscription]:
        return self._rows(Subscription)

    def invoices(self) -> list[Invoice]:
        return self._rows(Invoice)

    def rows(self, model: type) -> list[Any]:
        return self._rows(model)

    def _rows(self, model: Any) -> list[Any]:
        with self.database.tx() as session:
            return list(session.exec(select_rows(model).order_by(model.id)).all())

    def _due(self) -> object:
        with self.database.tx() as session:
            return due_from(session)


def digest(database: Database) -> str:
    """A digest of everything but the audit log."""
    sums = hashlib.sha256()
    with database.tx() as session:
        for table in SQLModel.metadata.sorted_tables:
            if table.name not in _NOT_COMPARED:
                rows = session.execute(select(table).order_by(*table.primary_key.columns)).all()
                sums.update(f"{table.name}{rows}".encode())
    return sums.hexdigest()


__all__ = ["GOODS", "KINDS", "START", "Died", "Life", "digest"]
