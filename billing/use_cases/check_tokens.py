"""Check tokens: no provider tells of a token's end, so that each is read some days before it is charged next, and an
hour before a trial ends.

Reading changes nothing at the provider, so no operation stands for it; each opened token has its audit row all the
same, committed before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session

from billing.domain.errors import VaultError
from billing.domain.periods import jitter
from billing.domain.subscriptions import SubscriptionStatus
from billing.domain.tokens import Token
from billing.ports import Account
from billing.store.audit import Reveal
from billing.store.batch import Batch
from billing.store.customers import StoredToken, TokenStatus, lock_tokens, set_token_status, tokens_by_id
from billing.store.engine import Database
from billing.store.paces import open_accounts
from billing.store.subscriptions import Subscription, claim_token_checks, locked
from billing.use_cases.pacing import take
from billing.use_cases.sending import Sending, token_context

TRIAL_CHECK_BEFORE = timedelta(hours=1)
TRIAL_CHECK_SPREAD_SECONDS = 600
LOOK_AGAIN = timedelta(hours=1)
"""After a token that could not be read, or a worker that died while it read."""

_READABLE = (TokenStatus.ACTIVE, TokenStatus.SUSPENDED)


@dataclass(frozen=True, slots=True)
class _Check:
    subscription_id: UUID
    account: str
    token: StoredToken


def check_tokens(sending: Sending) -> int:
    """Read every token that is to be read now, one batch; returns how many subscriptions were looked at."""
    if not sending.may_send():
        return 0
    now = sending.clock.now()
    seen, checks = _claim(sending, now)
    for name, account in sending.accounts.items():
        mine = [check for check in checks if check.account == name]
        for start in range(0, len(mine), account.window):
            _read_window(sending, account, mine[start : start + account.window])
    return seen


def next_check_at(subscription: Subscription, now: datetime) -> datetime | None:
    """When the token is read once more before the next charge: of a trial, in the last hour; else not again."""
    ends_at = subscription.next_period_at
    if subscription.status != SubscriptionStatus.TRIALING or ends_at is None:
        return None
    # Earlier by a jitter, so that many trials that end at one midnight are not read in one moment.
    spread = jitter(subscription.id, TRIAL_CHECK_SPREAD_SECONDS)
    at = ends_at - TRIAL_CHECK_BEFORE - spread
    return at if at > now else None


def _claim(sending: Sending, now: datetime) -> tuple[int, list[_Check]]:
    """Move each check on before it is made, so that nobody else makes it, and write the audit rows."""
    checks = []
    with sending.database.tx() as session:
        accounts = open_accounts(session, now, list(sending.accounts))
        due = claim_token_checks(session, now, accounts.anything, sending.database.batch_size)
        tokens = tokens_by_id(session, [row.token_id for row in due if row.token_id is not None])
        batch = Batch(sending.ids, now)
        for subscription in due:
            token = tokens.get(subscription.token_id) if subscription.token_id else None
            if token is None or token.status not in _READABLE:
                subscription.token_check_at = next_check_at(subscription, now)
                continue
            checks.append(_Check(subscription.id, subscription.provider_account, token))
        checks = _permitted(session, checks, accounts.counted, now)
        asked = {check.subscription_id for check in checks}
        for subscription in (row for row in due if row.id in asked):
            subscription.token_check_at = now + LOOK_AGAIN
        for check in checks:
            _audit(batch, sending.worker, check.token)
        batch.write(session)
    return len(due), checks


def _permitted(session: Session, checks: list[_Check], counted: frozenset[str], now: datetime) -> list[_Check]:
    """As many as permits are there for; the rest stays due, and is claimed once there are some again."""
    chosen = [check for check in checks if check.account not in counted]
    for name in sorted(counted):
        mine = [check for check in checks if check.account == name]
        chosen += mine[: take(session, name, now, len(mine))] if mine else []
    return chosen


def _audit(batch: Batch, worker: str, token: StoredToken) -> None:
    batch.add(
        Reveal,
        operation_id=None,
        epoch=0,
        token_id=token.id,
        purpose="check",
        worker=worker[:64],
        at=batch.now,
    )


def _read_window(sending: Sending, account: Account, checks: Sequence[_Check]) -> None:
    opened: list[tuple[UUID, Token]] = []
    for check in checks:
        try:
            opened.append((check.subscription_id, sending.keyring.open(token_context(check.token), check.token.sealed)))
        except VaultError:
            # The charge itself brings such a record to a person; here it is only not read.
            continue
    states = account.gateway.read_tokens(opened)
    said = {subscription_id: state.status for subscription_id, state in states.items()}
    _store(sending.database, sending, checks, said)


def _store(database: Database, sending: Sending, checks: Sequence[_Check], said: Mapping[UUID, str]) -> None:
    now = sending.clock.now()
    known = {check.subscription_id: check.token for check in checks}
    with database.tx() as session:
        batch = Batch(sending.ids, now)
        subscriptions = locked(session, list(known))
        lock_tokens(session, [token.id for token in known.values()])
        tokens = tokens_by_id(session, [token.id for token in known.values()])
        for subscription_id, subscription in subscriptions.items():
            token, status = tokens[known[subscription_id].id], said.get(subscription_id, "unknown")
            if status not in (*_READABLE, TokenStatus.REVOKED):
                continue
            token.read_at = now
            subscription.token_check_at = next_check_at(subscription, now)
            before = token.status
            if before in _READABLE and before != status:
                set_token_status(session, [token.id], TokenStatus(status))
                batch.event(subscription, "token.status_changed", token=token.id.hex, before=before, status=status)
        batch.write(session)
