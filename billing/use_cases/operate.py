"""Operate: take due operations through their steps: claim, reveal, gate, call, settle; a batch at a time.

The network goes in windows inside a batch, so that a kill strands a window and not a batch.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from billing.domain.dunning import next_local_morning
from billing.domain.tokens import Token
from billing.ports import Account, Answer, Refused
from billing.store.customers import TokenStatus, set_token_status
from billing.store.operations import Operation, claim_planned, claimed_too_often
from billing.store.paces import open_accounts
from billing.store.subscriptions import Subscription
from billing.use_cases.gate import gate
from billing.use_cases.pacing import permitted
from billing.use_cases.sending import Sending, call, reveal, windows
from billing.use_cases.settle import PutBack, Settlement, Withdrawn

UNREADABLE_TOKEN_WAIT = timedelta(hours=1)


def operate(sending: Sending) -> int:
    """Send what is due, one batch; returns how many operations were claimed (0: nothing is due)."""
    if not sending.may_send():
        return 0
    now = sending.clock.now()
    lease = sending.lease(now)
    with sending.database.tx() as session:
        accounts = open_accounts(session, now, list(sending.accounts))
        claimed = claim_planned(
            session, now, lease, accounts.anything, sending.database.batch_size, charging=accounts.charging
        )
    if not claimed:
        return 0
    sending.passed("claim.committed")
    parked = [op for op in claimed if claimed_too_often(op)]
    if parked:
        answer = Answer(code="claimed_too_often", message="claimed again and again without an outcome")
        sending.settle([Settlement(op.id, lease[0], Refused(answer)) for op in parked])
    for name, window in windows([op for op in claimed if op not in parked], sending.accounts):
        if name in accounts.counted:
            window = permitted(sending.database, sending.clock.now(), name, window, lease[0])
        if window:
            _send_window(sending, name, window, lease[0])
    return len(claimed)


def _send_window(sending: Sending, name: str, window: Sequence[Operation], lease: UUID) -> None:
    account = sending.accounts[name]
    tokens, news = reveal(sending, window, lease)
    news += _sleeping(sending, account, window, tokens, lease)
    out = {settlement.operation_id for settlement in news}
    calls, refused = gate(sending, account, [op for op in window if op.id not in out], lease, tokens)
    sending.passed("gate.committed")
    if news or refused:
        sending.settle([*news, *refused])
    call(sending, name, calls, lease)


def _sleeping(
    sending: Sending, account: Account, window: Sequence[Operation], tokens: Mapping[UUID, Token], lease: UUID
) -> list[Settlement]:
    """Purchases whose token was asleep: ask for its state first; charge only what is awake again."""
    asked = [op for op in window if op.reads_token_first and op.id in tokens]
    if not asked:
        return []
    states = account.gateway.read_tokens([(op.id, tokens[op.id]) for op in asked])
    awake = [op for op in asked if states[op.id].status == TokenStatus.ACTIVE]
    gone = [op for op in asked if states[op.id].status == TokenStatus.REVOKED]
    now = sending.clock.now()
    with sending.database.tx() as session:
        set_token_status(session, [op.token_id for op in awake if op.token_id], TokenStatus.ACTIVE)
        set_token_status(session, [op.token_id for op in gone if op.token_id], TokenStatus.REVOKED)
        zones = {op.id: session.get_one(Subscription, op.subscription_id).zone for op in asked}
    revoked = Withdrawn(Answer(code="token_revoked", message="the token was revoked while asleep"), as_decline="hard")
    news = [Settlement(op.id, lease, revoked) for op in gone]
    waiting = [op for op in asked if op not in awake and op not in gone]
    return news + [Settlement(op.id, lease, _later(op, states[op.id].status, now, zones[op.id])) for op in waiting]


def _later(operation: Operation, status: str, now: datetime, zone: str) -> PutBack:
    if status == TokenStatus.SUSPENDED:
        answer = Answer(code="token_suspended", message="the token is still suspended")
        # The invoice, so that every attempt of it falls on the same minute of its mornings.
        return PutBack(next_local_morning(now, zone, operation.subject), answer)
    return PutBack(now + UNREADABLE_TOKEN_WAIT, Answer(code="token_unreadable", message="the token could not be read"))
