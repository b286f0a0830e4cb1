"""What a person may say about an operation whose outcome no machine can tell, as data (charging rules, section 3).

Owns: the words, what may follow which, when the same bytes may go out again. Does not own: what the provider's record
says (`use_cases/provider_record.py`), nor what a decision writes (`use_cases/settle_decision.py`).
"""

from datetime import datetime, timedelta
from enum import StrEnum

from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind, may_be_repeated

KEY_LIFE = timedelta(hours=23)
"""The provider keeps a key for 24 h; nothing is sent again under it later than this."""

PERSON = "person"
"""Answer code of an operation that a person has decided about."""

REVIEW_OVERDUE = "REVIEW_OVERDUE"
"""Answer code of a purchase that the provider took and has been reviewing for longer than it says it would."""


class Verb(StrEnum):
    LINK = "link"
    """It happened: here is what the provider calls it."""
    RETIRE = "retire"
    """It did not happen and is not to happen."""
    ALLOW_AGAIN = "allow_again"
    """It may be done, or asked about, once more."""
    ACKNOWLEDGE = "acknowledge"
    """It was seen; nothing changes but the list of what needs a person."""


class Then(StrEnum):
    """What becomes of the money that a retired operation was about."""

    PURCHASE_AGAIN = "purchase_again"
    LEAVE = "leave"
    VOID_INVOICE = "void_invoice"
    TO_BALANCE = "to_balance"
    """What was to be refunded stays with us as the customer's balance."""


class Again(StrEnum):
    """How an operation is done once more."""

    REPLAY = "replay"
    """The same bytes under the same key, or a kind that done twice is as if done once: it cannot double."""
    AS_PLANNED = "as_planned"
    """It never left: it goes to the gate as if it had just been planned."""
    AFRESH = "afresh"
    """This one ends here, with its proof, and another with the next number takes its place."""


THEN_OF: dict[OperationKind, tuple[Then, ...]] = {
    OperationKind.PURCHASE: (Then.PURCHASE_AGAIN, Then.LEAVE, Then.VOID_INVOICE),
    OperationKind.CAPTURE: (Then.LEAVE, Then.PURCHASE_AGAIN, Then.VOID_INVOICE),
    OperationKind.REFUND: (Then.TO_BALANCE,),
}
"""What may follow on a retired operation; the first stands where nothing is said, but a purchase must say it."""


def then_of(kind: OperationKind, said: Then | None) -> Then:
    """What follows on retiring an operation of `kind`. Raises `Invalid` naming what is possible."""
    possible = THEN_OF.get(kind, (Then.LEAVE,))
    if said is None and kind is not OperationKind.PURCHASE:
        return possible[0]
    if said not in possible:
        raise Invalid(f"for a {kind} say one of: {', '.join(possible)}", where="then")
    return said


def how_again(
    kind: OperationKind,
    generation: str,
    *,
    sent_at: datetime | None,
    now: datetime,
    is_whole: bool,
    was_refused: bool,
) -> Again:
    """How an operation of `kind` is done once more without doubling it.

    `sent_at` is its first send, None where it never left; `was_refused` says that the provider itself refused the only
    send, so that asking again would only be refused again. Under a key the same bytes go out within 23 h of the first
    send; without one only where they may be repeated (charging rules, section 3).
    """
    if sent_at is None:
        return Again.AS_PLANNED
    knows_it_still = generation == "legacy" or now - sent_at < KEY_LIFE
    if not was_refused and knows_it_still and may_be_repeated(generation, kind, is_whole=is_whole):
        return Again.REPLAY
    return Again.AFRESH
