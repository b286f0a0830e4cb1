"""The life of a subscription as data (billing rules, section 9). Every pair of state and event has a row or is refused.

`cancel_at`, `pending_change`, `review_reason` and `hold` are fields beside the state, not states; the reason of an end
(`canceled`, `unpaid`, `completed`, `never_started`) is written by who ends it.
"""

from enum import StrEnum

from billing.domain.errors import TransitionNotAllowed


class SubscriptionStatus(StrEnum):
    PENDING = "pending"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    PAUSED = "paused"
    UNPAID = "unpaid"
    ENDED = "ended"


class SubscriptionEvent(StrEnum):
    START = "start"
    START_TRIAL = "start_trial"
    BOUNDARY = "boundary"
    DECLINED = "declined"
    RECOVERED = "recovered"
    EXHAUSTED_CANCEL = "exhausted_cancel"
    EXHAUSTED_UNPAID = "exhausted_unpaid"
    CANCEL_NOW = "cancel_now"
    CANCEL_AT_END = "cancel_at_end"
    UNDO_CANCEL = "undo_cancel"
    END_REACHED = "end_reached"
    TRIAL_ENDED = "trial_ended"
    PAUSE = "pause"
    RESUME = "resume"


_S = SubscriptionStatus
_E = SubscriptionEvent

TRANSITIONS: dict[tuple[SubscriptionStatus, SubscriptionEvent], SubscriptionStatus] = {
    (_S.PENDING, _E.START): _S.ACTIVE,
    (_S.PENDING, _E.START_TRIAL): _S.TRIALING,
    # A payment-gated start may be tried again until its gate times out; a hard decline or the time-out exhausts it.
    (_S.PENDING, _E.DECLINED): _S.PENDING,
    (_S.PENDING, _E.EXHAUSTED_CANCEL): _S.ENDED,
    (_S.PENDING, _E.CANCEL_NOW): _S.ENDED,
    (_S.TRIALING, _E.TRIAL_ENDED): _S.ACTIVE,
    # The first paid charge was declined, or the token is missing and the plan says `invoice_only`.
    (_S.TRIALING, _E.DECLINED): _S.PAST_DUE,
    (_S.TRIALING, _E.PAUSE): _S.PAUSED,
    (_S.TRIALING, _E.CANCEL_NOW): _S.ENDED,
    (_S.TRIALING, _E.CANCEL_AT_END): _S.TRIALING,
    (_S.TRIALING, _E.UNDO_CANCEL): _S.TRIALING,
    (_S.TRIALING, _E.END_REACHED): _S.ENDED,
    (_S.ACTIVE, _E.BOUNDARY): _S.ACTIVE,
    (_S.ACTIVE, _E.DECLINED): _S.PAST_DUE,
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
    (_S.PAST_DUE, _E.PAUSE): _S.PAUSED,
    (_S.PAST_DUE, _E.CANCEL_NOW): _S.ENDED,
    (_S.PAST_DUE, _E.CANCEL_AT_END): _S.PAST_DUE,
    (_S.PAST_DUE, _E.UNDO_CANCEL): _S.PAST_DUE,
    (_S.PAST_DUE, _E.END_REACHED): _S.ENDED,
    # Periods that start while paused are rows too; news of a charge that was under way does not end the pause.
    (_S.PAUSED, _E.BOUNDARY): _S.PAUSED,
    (_S.PAUSED, _E.DECLINED): _S.PAUSED,
    (_S.PAUSED, _E.RECOVERED): _S.PAUSED,
    (_S.PAUSED, _E.RESUME): _S.ACTIVE,
    (_S.PAUSED, _E.CANCEL_NOW): _S.ENDED,
    (_S.PAUSED, _E.CANCEL_AT_END): _S.PAUSED,
    (_S.PAUSED, _E.UNDO_CANCEL): _S.PAUSED,
    (_S.PAUSED, _E.END_REACHED): _S.ENDED,
    (_S.UNPAID, _E.BOUNDARY): _S.UNPAID,
    (_S.UNPAID, _E.DECLINED): _S.UNPAID,
    (_S.UNPAID, _E.RECOVERED): _S.ACTIVE,
    (_S.UNPAID, _E.CANCEL_NOW): _S.ENDED,
    (_S.UNPAID, _E.CANCEL_AT_END): _S.UNPAID,
    (_S.UNPAID, _E.UNDO_CANCEL): _S.UNPAID,
    (_S.UNPAID, _E.END_REACHED): _S.ENDED,
}
"""What an event makes of a state; `ended` has no row, since it is final."""


def next_status(status: SubscriptionStatus, event: SubscriptionEvent) -> SubscriptionStatus:
    """The state after `event`. Raises `TransitionNotAllowed` naming the state, the event and what is allowed there."""
    after = TRANSITIONS.get((status, event))
    if after is None:
        allowed = ", ".join(sorted(e for s, e in TRANSITIONS if s == status)) or "nothing, that state is final"
        raise TransitionNotAllowed(f"{event} is not possible for a subscription that is {status}; possible: {allowed}")
    return after
