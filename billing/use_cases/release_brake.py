"""Release a brake: a person has looked at what was halted, and lets it go on for a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from billing.domain.brakes import ALLOWED_FOR
from billing.domain.errors import Conflict, Invalid, NotFound
from billing.domain.pacing import BreakerState
from billing.ports import Ids
from billing.store import braking as brake_store
from billing.store import subscriptions as subscription_store
from billing.store.batch import Batch
from billing.store.brakes import Brake, BrakeKind
from billing.store.engine import Database
from billing.store.paces import locked_state
from billing.store.subscriptions import Subscription
from billing.use_cases.catch_up import CATCH_UP, has_withheld
from billing.use_cases.clone_guard import decided
from billing.use_cases.pacing import approve
from billing.use_cases.recording import Record, nothing

LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class BrakeRelease:
    """Who lets it go and why; before `allowed_until` the same brake does not halt the same subject again."""

    by: str
    reason: str
    allowed_until: datetime | None = None


def release_brake(
    database: Database,
    ids: Ids,
    now: datetime,
    brake_id: UUID,
    release: BrakeRelease,
    record: Record[Brake] = nothing,
) -> Brake:
    """Let go what a brake has halted: for 24 hours, unless the release says until when.

    A run's brake lets every run go until then. A subscription whose late periods nobody has decided about goes to its
    catch-up decision next. Raises `NotFound`, `Conflict` for a brake that was released, `Invalid` for a leave that is
    over already.
    """
    until = release.allowed_until or now + ALLOWED_FOR
    if until <= now:
        raise Invalid("the leave must end in the future", where="allowed_until")
    with database.tx() as session:
        told = _subscription_of(session, brake_id)
        brake = brake_store.locked_brake(session, brake_id)
        if brake is None:
            raise NotFound("there is no such brake")
        if brake.released_at is not None:
            raise Conflict(f"this brake was released at {brake.released_at.isoformat()}")
        brake.released_at, brake.released_by = now, release.by[:200]
        brake.released_because, brake.allowed_until = release.reason[:500], until
        batch = Batch(ids, now)
        _let_go(session, batch, brake, until, told)
        facts = {"kind": brake.kind, "subject": brake.subject}
        decided(batch, brake.id, "brake_release", release.by, release.reason, {**facts, "until": until.isoformat()})
        if told is not None:
            batch.event(told, "brake.released", **facts, reason=release.reason)
        else:
            batch.tell_all("brake.released", **facts, reason=release.reason)
        batch.write(session)
        record(session, brake)
        return brake


def list_brakes(database: Database, *, released: bool) -> Sequence[Brake]:
    """Brakes that are set; with `released` the others too, the newest first, 200 at most."""
    with database.tx() as session:
        return brake_store.brakes(session, released=released, limit=LISTED_MAX)


def _subscription_of(session: Session, brake_id: UUID) -> Subscription | None:
    """The subscription that a brake halts, held before the brake as every writer does."""
    brake = session.get(Brake, brake_id)
    if brake is None or brake.kind != BrakeKind.PERIODS_AT_ONCE:
        return None
    wanted = UUID(brake.subject)
    return subscription_store.locked(session, [wanted]).get(wanted)


def _let_go(session: Session, batch: Batch, brake: Brake, until: datetime, told: Subscription | None) -> None:
    """A halted run and a halted customer need nothing more: the next look finds the leave."""
    if brake.kind == BrakeKind.DECLINE_RATE:
        state = locked_state(session, brake.subject)
        if state is not None and state.pace.breaker != BreakerState.CLOSED:
            approve(state.pace, batch.now)
            state.pace.declines_accepted_until = until
            batch.tell_all("account.breaker_closed", account=brake.subject)
    if told is not None and told.review_reason == CATCH_UP and not has_withheld(session, told):
        told.review_reason = None
