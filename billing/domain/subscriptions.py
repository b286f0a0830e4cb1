"""The life of a subscription as data (billing rules, section 9). Every pair of state and event has a row or is refused.

`cancel_at`, `pending_change`, `review_reason` and `hold` are fields beside the state, not states: the events that set
them have rows that lead back to the same state. Access is a field of its own, too, and is decided at the end.
"""

from datetime import datetime
from enum import StrEnum

from billing.domain.errors import TransitionNotAllowed
from billing.domain.pauses import PauseMode


class SubscriptionStatus(StrEnum):
    PENDING = "pending"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    UNPAID = "unpaid"
    ENDED = "ended"


class SubscriptionEvent(StrEnum):
    """What happens to a subscription.

    `trial_ended_*` and `exhausted_*` end with the word of the plan's own policy (`missing_token`, `exhausted`).
    """

    START = "start"
    START_TRIAL = "start_trial"
    FIRST_AUTHORIZED = "first_authorized"
    GATE_EXPIRED = "gate_expired"
    BOUNDARY = "boundary"
    DECLINED = "declined"
    RECOVERED = "recovered"
    EXHAUSTED_CANCEL = "exhausted_cancel"
    EXHAUSTED_UNPAID = "exhausted_unpaid"
    EXHAUSTED_MANUAL = "exhausted_manual"
    CANCEL_NOW = "cancel_now"
    CANCEL_AT_END = "cancel_at_end"
    UNDO_CANCEL = "undo_cancel"
    END_REACHED = "end_reached"
    CYCLES_DONE = "cycles_done"
    TRIAL_ENDED = "trial_ended"
    TRIAL_ENDED_PAUSE = "trial_ended_pause"
    TRIAL_ENDED_CANCEL = "trial_ended_cancel"
    TRIAL_ENDED_INVOICE_ONLY = "trial_ended_invoice_only"
    EXTEND_TRIAL = "extend_trial"
    PAUSE = "pause"
    RESUME = "resume"
    RESUME_OWING = "resume_owing"
    RESUME_TRIAL = "resume_trial"
    CHANGE = "change"
    CHANGE_LATER = "change_later"
    AWAITING_TRUTH = "awaiting_truth"
    PARKED = "parked"
    REVIEWED = "reviewed"


class EndReason(StrEnum):
    CANCELED = "canceled"
    UNPAID = "unpaid"
    COMPLETED = "completed"
    NEVER_STARTED = "never_started"


class Access(StrEnum):
    """What the customer may use: everything, everything for a while, or nothing."""

    FULL = "full"
    GRACE = "grace"
    NONE = "none"


_S = SubscriptionStatus
_E = SubscriptionEvent
_LIVE = [status for status in SubscriptionStatus if status is not SubscriptionStatus.ENDED]
# Only a field beside the state changes: a pending change, an outcome to be found out, a person to look or done looking.
_BESIDE_THE_STATE = (_E.CHANGE_LATER, _E.AWAITING_TRUTH, _E.PARKED, _E.REVIEWED)

TRANSITIONS: dict[tuple[SubscriptionStatus, SubscriptionEvent], SubscriptionStatus] = {
    (_S.PENDING, _E.START): _S.ACTIVE,
    (_S.PENDING, _E.START_TRIAL): _S.TRIALING,
    (_S.PENDING, _E.FIRST_AUTHORIZED): _S.ACTIVE,
    # A payment-gated start may be tried again until its gate times out; a hard decline or the time-out exhausts it.
    (_S.PENDING, _E.DECLINED): _S.PENDING,
    (_S.PENDING, _E.GATE_EXPIRED): _S.ENDED,
    (_S.PENDING, _E.EXHAUSTED_CANCEL): _S.ENDED,
    (_S.PENDING, _E.CANCEL_NOW): _S.ENDED,
    (_S.TRIALING, _E.TRIAL_ENDED): _S.ACTIVE,
    (_S.TRIALING, _E.TRIAL_ENDED_PAUSE): _S.PAUSED,
    (_S.TRIALING, _E.TRIAL_ENDED_CANCEL): _S.ENDED,
    (_S.TRIALING, _E.TRIAL_ENDED_INVOICE_ONLY): _S.PAST_DUE,
    (_S.TRIALING, _E.EXTEND_TRIAL): _S.TRIALING,
    # The first paid charge was declined.
    (_S.TRIALING, _E.DECLINED): _S.PAST_DUE,
    (_S.TRIALING, _E.CHANGE): _S.TRIALING,
    (_S.TRIALING, _E.PAUSE): _S.PAUSED,
    (_S.TRIALING, _E.CANCEL_NOW): _S.ENDED,
    (_S.TRIALING, _E.CANCEL_AT_END): _S.TRIALING,
    (_S.TRIALING, _E.UNDO_CANCEL): _S.TRIALING,
    (_S.TRIALING, _E.END_REACHED): _S.ENDED,
    (_S.ACTIVE, _E.BOUNDARY): _S.ACTIVE,
    (_S.ACTIVE, _E.DECLINED): _S.PAST_DUE,
    (_S.ACTIVE, _E.CHANGE): _S.ACTIVE,
    (_S.ACTIVE, _E.CYCLES_DONE): _S.ENDED,
    (_S.ACTIVE, _E.PAUSE): _S.PAUSED,
    (_S.ACTIVE, _E.CANCEL_NOW): _S.ENDED,
    (_S.ACTIVE, _E.CANCEL_AT_END): _S.ACTIVE,
    (_S.ACTIVE, _E.UNDO_CANCEL): _S.ACTIVE,
    (_S.ACTIVE, _E.END_REACHED): _S.ENDED,
    # Boundaries go on during dunning: the period opens, the oldest invoice is collected first.
    (_S.PAST_DUE, _E.BOUNDARY): _S.PAST_DUE,
    (_S.PAST_DUE, _E.DECLINED): _S.PAST_DUE,
    (_S.PAST_DUE, _E.RECOVERED): _S.ACTIVE,
    (_S.PAST_DUE, _E.EXHAUSTED_CANCEL): _S.ENDED,
    (_S.PAST_DUE, _E.EXHAUSTED_UNPAID): _S.UNPAID,
    # A person decides: it stays as it is, with a review reason.
    (_S.PAST_DUE, _E.EXHAUSTED_MANUAL): _S.PAST_DUE,
    (_S.PAST_DUE, _E.CHANGE): _S.PAST_DUE,
    # A purchase for an ended subscription is voided, so that a limited term with a debt does not end before the debt
    # does: no further cycle opens, and the event comes again when the state is active.
    (_S.PAST_DUE, _E.CYCLES_DONE): _S.PAST_DUE,
    (_S.PAST_DUE, _E.PAUSE): _S.PAUSED,
    (_S.PAST_DUE, _E.CANCEL_NOW): _S.ENDED,
    (_S.PAST_DUE, _E.CANCEL_AT_END): _S.PAST_DUE,
    (_S.PAST_DUE, _E.UNDO_CANCEL): _S.PAST_DUE,
    (_S.PAST_DUE, _E.END_REACHED): _S.ENDED,
    # Periods that start while paused are rows too; news of a charge that was under way does not end the pause.
    (_S.PAUSED, _E.BOUNDARY): _S.PAUSED,
    (_S.PAUSED, _E.DECLINED): _S.PAUSED,
    (_S.PAUSED, _E.RECOVERED): _S.PAUSED,
    # A pause does not stop the dunning of what was declined before it.
    (_S.PAUSED, _E.EXHAUSTED_CANCEL): _S.ENDED,
    (_S.PAUSED, _E.EXHAUSTED_UNPAID): _S.UNPAID,
    (_S.PAUSED, _E.EXHAUSTED_MANUAL): _S.PAUSED,
    (_S.PAUSED, _E.CYCLES_DONE): _S.PAUSED,
    (_S.PAUSED, _E.RESUME): _S.ACTIVE,
    # An invoice in dunning is still open: a pause is no way back to full access.
    (_S.PAUSED, _E.RESUME_OWING): _S.PAST_DUE,
    # Days of a trial are left: it goes on, and its end asks for the token as ever.
    (_S.PAUSED, _E.RESUME_TRIAL): _S.TRIALING,
    (_S.PAUSED, _E.CANCEL_NOW): _S.ENDED,
    (_S.PAUSED, _E.CANCEL_AT_END): _S.PAUSED,
    (_S.PAUSED, _E.UNDO_CANCEL): _S.PAUSED,
    (_S.PAUSED, _E.END_REACHED): _S.ENDED,
    (_S.UNPAID, _E.BOUNDARY): _S.UNPAID,
    (_S.UNPAID, _E.DECLINED): _S.UNPAID,
    (_S.UNPAID, _E.RECOVERED): _S.ACTIVE,
    (_S.UNPAID, _E.CYCLES_DONE): _S.UNPAID,
    (_S.UNPAID, _E.CANCEL_NOW): _S.ENDED,
    (_S.UNPAID, _E.CANCEL_AT_END): _S.UNPAID,
    (_S.UNPAID, _E.UNDO_CANCEL): _S.UNPAID,
    (_S.UNPAID, _E.END_REACHED): _S.ENDED,
} | {(status, event): status for status in _LIVE for event in _BESIDE_THE_STATE}
"""What an event makes of a state; `ended` has no row, since it is final."""

_END_REASONS = {
    _E.GATE_EXPIRED: EndReason.NEVER_STARTED,
    _E.CANCEL_NOW: EndReason.CANCELED,
    _E.END_REACHED: EndReason.CANCELED,
    _E.TRIAL_ENDED_CANCEL: EndReason.CANCELED,
    _E.EXHAUSTED_CANCEL: EndReason.UNPAID,
    _E.CYCLES_DONE: EndReason.COMPLETED,
}


def next_status(status: SubscriptionStatus, event: SubscriptionEvent) -> SubscriptionStatus:
    """The state after `event`. Raises `TransitionNotAllowed` naming the state, the event and what is allowed there."""
    after = TRANSITIONS.get((status, event))
    if after is None:
        allowed = ", ".join(sorted(e for s, e in TRANSITIONS if s == status)) or "nothing, that state is final"
        raise TransitionNotAllowed(f"{event} is not possible for a subscription that is {status}; possible: {allowed}")
    return after


def end_reason(status: SubscriptionStatus, event: SubscriptionEvent) -> EndReason:
    """Why a subscription in `status` ends by `event`. Raises `TransitionNotAllowed` where it does not end by it."""
    if next_status(status, event) is not SubscriptionStatus.ENDED:
        raise TransitionNotAllowed(f"{event} does not end a subscription that is {status}")
    if status is SubscriptionStatus.PENDING and event is SubscriptionEvent.EXHAUSTED_CANCEL:
        return EndReason.NEVER_STARTED
    return _END_REASONS[event]


def due_at(
    next_period_at: datetime | None,
    cancel_at: datetime | None,
    pause_at: datetime | None,
    resume_at: datetime | None,
    gate_expires_at: datetime | None,
    grace_ends_at: datetime | None,
    trial_check_at: datetime | None,
) -> datetime | None:
    """When somebody must look at a subscription next: the earliest of its instants (UTC), or None without any."""
    instants = (next_period_at, cancel_at, pause_at, resume_at, gate_expires_at, grace_ends_at, trial_check_at)
    return min((at for at in instants if at is not None), default=None)


def access_after(
    status: SubscriptionStatus, grace_ends_at: datetime | None, now: datetime, pause_mode: PauseMode | None = None
) -> Access:
    """What the customer may use at `now` (billing rules, section 8).

    `trialing` and `active` have it all; `past_due` has grace until `grace_ends_at` (half-open; None: no grace), then
    nothing. `pending` has not begun; `unpaid` and `ended` are over. A pause stops the service, but for
    `collection_only`, where it goes on as if nothing were paused: with a grace that runs, until that ends.
    """
    if status in (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE):
        return Access.FULL
    goes_on = status is SubscriptionStatus.PAUSED and pause_mode is PauseMode.COLLECTION_ONLY
    if goes_on and grace_ends_at is None:
        return Access.FULL
    if goes_on or status is SubscriptionStatus.PAST_DUE:
        return Access.GRACE if grace_ends_at is not None and now < grace_ends_at else Access.NONE
    return Access.NONE
