"""What the loops that speak to a provider are given, and the first steps they share: revealing tokens and calling."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from billing.domain.brakes import DEFAULT_LIMITS, Limits
from billing.domain.errors import VaultError
from billing.domain.operations import OperationKind
from billing.domain.tokens import Token
from billing.ports import Account, Answer, Call, Clock, Ids, Refused, Request
from billing.store.audit import Reveal
from billing.store.batch import Batch
from billing.store.customers import StoredToken, TokenStatus, tokens_by_id
from billing.store.engine import Database
from billing.store.operations import Operation
from billing.use_cases.pacing import take
from billing.use_cases.second_look import second_look
from billing.use_cases.settle import Settlement, settle
from billing.vault.envelope import Context
from billing.vault.keyring import Keyring

OPENS_THE_TOKEN = {OperationKind.PURCHASE: "charge", OperationKind.REVOKE: "revoke"}
"""The kinds whose request carries the token, and what the audit log calls it."""

LEASE = timedelta(minutes=3)
"""How long a claimed row is ours; longer than any deadline, so that nobody else asks while our call may still land."""


def nothing(step: str) -> None:
    """Told of every step, it does nothing; a fault test passes something that dies there instead."""


def always() -> bool:
    """Nothing is guarded: for whoever builds a pass by hand."""
    return True


@dataclass(frozen=True, slots=True)
class Sending:
    """Everything a pass of `operate` or `reconcile` may touch. `namespace` is the root of the idempotency keys."""

    database: Database
    accounts: Mapping[str, Account]
    keyring: Keyring
    ids: Ids
    clock: Clock
    namespace: UUID
    worker: str
    passed: Callable[[str], None] = field(default=nothing)
    may_send: Callable[[], bool] = field(default=always)
    """Whether anything may leave at all: the clone guard's last word."""
    limits: Limits = DEFAULT_LIMITS

    def lease(self, now: datetime) -> tuple[UUID, datetime]:
        """A fresh lease: whose it is and until when."""
        return self.ids.new(), now + LEASE

    def settle(self, settlements: Sequence[Settlement], *, answered: bool = False) -> None:
        """Record news in a transaction of its own, where there is any; whether calls of ours were `answered`."""
        self.passed("settle.begins")
        settle(self.database, self.ids, self.clock.now(), settlements, answered=answered)
        self.passed("settle.committed")


def token_context(token: StoredToken) -> Context:
    """What a sealed token is bound to: it opens for this customer, account, record and version, and nothing else."""
    return Context("charge", token.provider_account, token.customer_id, token.id, token.version)


def reveal(
    sending: Sending, operations: Sequence[Operation], lease: UUID, *, again: bool = False
) -> tuple[dict[UUID, Token], list[Settlement]]:
    """Open the token of each purchase or revocation, by operation id, after its audit row is committed.

    A record that does not open becomes a settlement for a person; one of a token that may not be
    charged is left shut, but for a question asked `again`.
    """
    asking = [op for op in operations if op.kind in OPENS_THE_TOKEN and op.token_id is not None]
    if not asking:
        return {}, []
    now = sending.clock.now()
    with sending.database.tx() as session:
        stored = tokens_by_id(session, list({op.token_id for op in asking if op.token_id is not None}))
        allowed = [op for op in asking if _may_open(op, stored, again=again)]
        batch = Batch(sending.ids, now)
        for op in allowed:
            batch.add(
                Reveal,
                operation_id=op.id,
                epoch=op.epoch,
                token_id=op.token_id,
                purpose=OPENS_THE_TOKEN[OperationKind(op.kind)],
                worker=sending.worker[:64],
                at=now,
            )
        batch.write(session)
    sending.passed("reveal.committed")
    return _open(sending.keyring, allowed, stored, lease)


def call_for(operation: Operation, token: Token | None, purchase_id: str | None) -> Call:
    """The call that the frozen row describes: the same bytes and the same key whenever it is made."""
    method, path, body = operation.request_method, operation.request_path, operation.request
    key, reference = operation.key, operation.merchant_reference
    if method is None or path is None or body is None or key is None or reference is None:
        raise AssertionError("only what the gate has frozen can be called")
    return Call(
        operation.id,
        OperationKind(operation.kind),
        Request(method, path, body),
        key,
        operation.amount,
        operation.currency,
        reference,
        purchase_id,
        token,
    )


def call(sending: Sending, name: str, calls: Sequence[Call], lease: UUID) -> None:
    """Make the calls of one window of the account `name` and settle what came back."""
    if not calls:
        return
    account = sending.accounts[name]
    sending.passed("call.begins")
    outcomes = list(account.gateway.send(calls))
    sending.passed("call.answered")
    looked_up = second_look(account, calls, outcomes, lambda wanted: permits(sending, name, wanted))
    settlements = [Settlement(id_, lease, news) for id_, news in looked_up]
    sending.settle(settlements, answered=True)


def permits(sending: Sending, name: str, wanted: int) -> int:
    """Up to `wanted` requests that may be made through the account now, beside those of its window."""
    with sending.database.tx() as session:
        return take(session, name, sending.clock.now(), wanted)


def windows(operations: Sequence[Operation], accounts: Mapping[str, Account]) -> list[tuple[str, list[Operation]]]:
    """The operations by provider account, in pieces no larger than the account takes at once."""
    by_account: dict[str, list[Operation]] = {}
    for op in operations:
        by_account.setdefault(op.provider_account, []).append(op)
    return [
        (name, rows[start : start + accounts[name].window])
        for name, rows in by_account.items()
        if name in accounts
        for start in range(0, len(rows), accounts[name].window)
    ]


def _may_open(operation: Operation, stored: Mapping[UUID, StoredToken], *, again: bool) -> bool:
    token = stored.get(operation.token_id) if operation.token_id else None
    again = again or operation.kind == OperationKind.REVOKE
    if again and token is not None and token.status != TokenStatus.ERASED:
        # The same bytes under the same key only ask what became of them, and a revocation asks for nothing else than
        # the token's end; its state today is no matter.
        return True
    return token is not None and (
        token.status == "active" or (token.status == "suspended" and operation.reads_token_first)
    )


def _open(
    keyring: Keyring, operations: Sequence[Operation], stored: Mapping[UUID, StoredToken], lease: UUID
) -> tuple[dict[UUID, Token], list[Settlement]]:
    tokens: dict[UUID, Token] = {}
    shut: list[Settlement] = []
    for op in operations:
        assert op.token_id is not None, "only what has a token is revealed"
        record = stored[op.token_id]
        try:
            tokens[op.id] = keyring.open(token_context(record), record.sealed)
        except VaultError as error:
            shut.append(Settlement(op.id, lease, Refused(Answer(code=error.code, message=error.message))))
    return tokens, shut
