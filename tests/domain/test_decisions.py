"""What a person may say about an operation, and how it goes out once more."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.domain.decisions import Again, Then, how_again, then_of
from billing.domain.errors import Invalid
from billing.domain.operations import OperationKind

NOW = datetime(2028, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "refused", "generation", "kind", "how"),
    [
        (None, False, "rest", OperationKind.PURCHASE, Again.AS_PLANNED),
        (22, False, "rest", OperationKind.PURCHASE, Again.REPLAY),
        (23, False, "rest", OperationKind.PURCHASE, Again.AFRESH),
        (1, True, "rest", OperationKind.PURCHASE, Again.AFRESH),
        (1, False, "legacy", OperationKind.PURCHASE, Again.AFRESH),
        (1, False, "legacy", OperationKind.POST_INVOICE, Again.AFRESH),
        (99, False, "legacy", OperationKind.VOID, Again.REPLAY),
    ],
)
def test_how_something_goes_again(
    sent: int | None, refused: bool, generation: str, kind: OperationKind, how: Again
) -> None:
    sent_at = None if sent is None else NOW - timedelta(hours=sent)
    assert how_again(kind, generation, sent_at=sent_at, now=NOW, is_whole=False, was_refused=refused) is how


def test_what_follows_is_said_for_a_purchase_and_known_for_the_rest() -> None:
    with pytest.raises(Invalid, match="purchase_again"):
        then_of(OperationKind.PURCHASE, None)
    assert then_of(OperationKind.REFUND, None) is Then.TO_BALANCE
    with pytest.raises(Invalid, match="to_balance"):
        then_of(OperationKind.REFUND, Then.LEAVE)
    assert then_of(OperationKind.VOID, None) is Then.LEAVE
