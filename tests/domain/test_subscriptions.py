"""The life of a subscription: every pair of state and event has a row or is refused (billing rules, section 9)."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from billing.domain.errors import TransitionNotAllowed
from billing.domain.pauses import PauseMode
from billing.domain.subscriptions import (
    TRANSITIONS,
    Access,
    EndReason,
    SubscriptionEvent,
    SubscriptionStatus,
    access_after,
    due_at,
    end_reason,
    next_status,
)

NOW = datetime(2027, 4, 7, 8, tzinfo=UTC)

# What only changes a field beside the state is possible in every state but the last.
BESIDE = "change_later awaiting_truth parked reviewed"

# One line a state: what each event makes of it; an event without a state stays there. What is not named is refused.
LIVES = {
    "pending": "start=active start_trial=trialing first_authorized=active gate_expired=ended declined "
    "exhausted_cancel=ended cancel_now=ended",
    "trialing": "trial_ended=active trial_ended_pause=paused trial_ended_cancel=ended "
    "trial_ended_invoice_only=past_due extend_trial declined=past_due change pause=paused cancel_now=ended "
    "cancel_at_end undo_cancel end_reached=ended",
    "active": "boundary declined=past_due change cycles_done=ended pause=paused cancel_now=ended cancel_at_end "
    "undo_cancel end_reached=ended",
    "past_due": "boundary declined recovered=active exhausted_cancel=ended exhausted_unpaid=unpaid exhausted_manual "
    "change cycles_done pause=paused cancel_now=ended cancel_at_end undo_cancel end_reached=ended",
    "paused": "boundary declined recovered exhausted_cancel=ended exhausted_unpaid=unpaid exhausted_manual "
    "cycles_done resume=active resume_owing=past_due resume_trial=trialing cancel_now=ended cancel_at_end undo_cancel "
    "end_reached=ended",
    "unpaid": "boundary declined recovered=active cycles_done cancel_now=ended cancel_at_end undo_cancel "
    "end_reached=ended",
}
EXPECTED = {
    (state, pair.split("=")[0]): pair.split("=")[-1] if "=" in pair else state
    for state, events in LIVES.items()
    for pair in f"{events} {BESIDE}".split()
}


@pytest.mark.parametrize(("status", "event"), list(product(SubscriptionStatus, SubscriptionEvent)))
def test_every_pair_of_state_and_event_is_answered_or_refused_with_what_is_possible(
    status: SubscriptionStatus, event: SubscriptionEvent
) -> None:
    expected = EXPECTED.get((status.value, event.value))
    if expected:
        assert next_status(status, event) == expected
        return
    possible = ", ".join(sorted(event for state, event in EXPECTED if state == status.value))
    with pytest.raises(TransitionNotAllowed) as refused:
        next_status(status, event)
    assert refused.value.message == (
        f"{event} is not possible for a subscription that is {status}; "
        f"possible: {possible or 'nothing, that state is final'}"
    )


def test_the_table_holds_nothing_but_these_rows() -> None:
    assert {(s.value, e.value): after.value for (s, e), after in TRANSITIONS.items()} == EXPECTED


@pytest.mark.parametrize("event", list(SubscriptionEvent))
def test_an_ended_subscription_takes_no_event(event: SubscriptionEvent) -> None:
    with pytest.raises(TransitionNotAllowed, match="nothing, that state is final"):
        next_status(SubscriptionStatus.ENDED, event)


@pytest.mark.parametrize("status", [s for s in SubscriptionStatus if s is not SubscriptionStatus.ENDED])
def test_every_live_subscription_can_be_canceled_now(status: SubscriptionStatus) -> None:
    assert next_status(status, SubscriptionEvent.CANCEL_NOW) is SubscriptionStatus.ENDED


def test_every_state_can_be_reached_from_pending() -> None:
    reached = {SubscriptionStatus.PENDING}
    for _ in SubscriptionStatus:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}
    assert reached == set(SubscriptionStatus)


def test_a_late_decline_never_ends_a_pause() -> None:
    paused = next_status(SubscriptionStatus.ACTIVE, SubscriptionEvent.PAUSE)
    assert next_status(paused, SubscriptionEvent.DECLINED) is SubscriptionStatus.PAUSED


def test_statuses_are_the_published_words() -> None:
    words = "pending trialing active past_due paused unpaid ended"
    assert " ".join(SubscriptionStatus) == words


@pytest.mark.parametrize(("policy", "after"), [("pause", "paused"), ("cancel", "ended"), ("invoice_only", "past_due")])
def test_a_trial_without_a_token_ends_as_the_plan_says(policy: str, after: str) -> None:
    assert next_status(SubscriptionStatus.TRIALING, SubscriptionEvent(f"trial_ended_{policy}")) == after


@pytest.mark.parametrize(("policy", "after"), [("cancel", "ended"), ("unpaid", "unpaid"), ("manual", "past_due")])
def test_the_end_of_dunning_is_what_the_plan_says(policy: str, after: str) -> None:
    assert next_status(SubscriptionStatus.PAST_DUE, SubscriptionEvent(f"exhausted_{policy}")) == after


def test_a_limited_term_with_a_debt_ends_only_after_the_debt_is_paid() -> None:
    owing = next_status(SubscriptionStatus.PAST_DUE, SubscriptionEvent.CYCLES_DONE)
    paid = next_status(owing, SubscriptionEvent.RECOVERED)
    assert (owing, next_status(paid, SubscriptionEvent.CYCLES_DONE)) == ("past_due", "ended")


def test_a_pause_is_no_way_out_of_a_debt() -> None:
    paused = next_status(SubscriptionStatus.PAST_DUE, SubscriptionEvent.PAUSE)
    assert next_status(paused, SubscriptionEvent.RESUME_OWING) is SubscriptionStatus.PAST_DUE


@pytest.mark.parametrize(
    ("status", "event", "reason"),
    [
        ("pending", "gate_expired", "never_started"),
        ("pending", "exhausted_cancel", "never_started"),
        ("pending", "cancel_now", "canceled"),
        ("trialing", "trial_ended_cancel", "canceled"),
        ("active", "cycles_done", "completed"),
        ("active", "end_reached", "canceled"),
        ("past_due", "exhausted_cancel", "unpaid"),
        ("unpaid", "cancel_now", "canceled"),
    ],
)
def test_every_end_has_its_reason(status: str, event: str, reason: str) -> None:
    assert end_reason(SubscriptionStatus(status), SubscriptionEvent(event)) == reason


def test_every_row_that_ends_a_subscription_has_a_reason_and_no_other_row_has_one() -> None:
    for (status, event), after in TRANSITIONS.items():
        if after is SubscriptionStatus.ENDED:
            assert end_reason(status, event) in EndReason
        else:
            with pytest.raises(TransitionNotAllowed, match="does not end"):
                end_reason(status, event)


def test_a_subscription_is_due_at_the_earliest_of_its_instants() -> None:
    instants = [NOW + timedelta(days=day) for day in range(1, 8)]
    for i in range(7):
        turned = [*instants[i:], *instants[:i]]
        assert due_at(*turned) == instants[0]
    assert due_at(None, None, NOW, None, None, instants[0], None) == NOW
    assert due_at(None, None, None, None, None, None, None) is None


# declined Mar 31 ......... grace_ends_at Apr 7 08:00
#          |--- grace, 7 days --------------|--- none
@pytest.mark.parametrize(("minutes", "access"), [(-1, Access.GRACE), (0, Access.NONE), (1, Access.NONE)])
def test_a_past_due_customer_has_grace_and_then_nothing(minutes: int, access: Access) -> None:
    assert access_after(SubscriptionStatus.PAST_DUE, NOW, NOW + timedelta(minutes=minutes)) is access


@pytest.mark.parametrize(
    ("status", "access"),
    [
        ("pending", "none"),
        ("trialing", "full"),
        ("active", "full"),
        ("past_due", "none"),
        ("paused", "none"),
        ("unpaid", "none"),
        ("ended", "none"),
    ],
)
def test_access_without_a_grace_follows_the_state(status: str, access: str) -> None:
    assert access_after(SubscriptionStatus(status), None, NOW) == access


def test_only_a_pause_of_the_collecting_keeps_the_service() -> None:
    access = {mode: access_after(SubscriptionStatus.PAUSED, None, NOW, mode) for mode in PauseMode}
    assert access == {"freeze": "none", "skip": "none", "collection_only": "full"}


def test_pausing_the_collecting_does_not_lengthen_a_grace() -> None:
    paused = SubscriptionStatus.PAUSED, NOW
    assert access_after(*paused, NOW - timedelta(minutes=1), PauseMode.COLLECTION_ONLY) is Access.GRACE
    assert access_after(*paused, NOW, PauseMode.COLLECTION_ONLY) is Access.NONE


def test_reasons_of_an_end_are_the_published_words() -> None:
    assert " ".join(EndReason) == "canceled unpaid completed never_started"
