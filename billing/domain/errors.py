"""What can be wrong, in our terms. `api/errors.py` alone knows HTTP statuses.

    BillingError
    ├── NotFound                  an id in the path that is not there
    ├── Invalid                   the request cannot be right
    │   ├── CurrencyMismatch
    │   ├── RefundExceedsCapture
    │   ├── CreditExceedsLine
    │   ├── PaymentExceedsDue
    │   ├── DisputeExceedsCapture
    │   ├── EmptyInvoice
    │   ├── BadRows
    │   └── IdempotencyKeyReused
    ├── Conflict                  right in itself, but not in this state
    │   ├── TransitionNotAllowed
    │   ├── AlreadyExists
    │   ├── OutcomeUnknown
    │   ├── AuthorizationStands
    │   ├── UnderDispute
    │   ├── BalanceTooLow
    │   ├── ContradictsProvider
    │   ├── RecordUnreadable
    │   └── PlanArchived
    ├── VaultError                a record does not open; one message for every cause
    └── NotReady                  the service itself is not set up: key, database, port

The docstring of a class is its default message. A decline, a time-out or a dead provider is no error here: it is an
outcome (`billing/ports.py`), because the row that waits for it must be written whatever happened.
"""

from collections.abc import Mapping, Sequence


class BillingError(Exception):
    """The request could not be carried out."""

    code = "billing_error"

    def __init__(self, message: str | None = None, *, where: str | None = None, **facts: str | int | None) -> None:
        self.message = message or (type(self).__doc__ or "").strip()
        self.where = where
        self.facts = facts
        super().__init__(self.message)


class NotFound(BillingError):
    """There is no such thing."""

    code = "not_found"


class Invalid(BillingError):
    """The request cannot be right."""

    code = "invalid"


class CurrencyMismatch(Invalid):
    """Two amounts of different currencies meet."""

    code = "currency_mismatch"


class RefundExceedsCapture(Invalid):
    """More would be given back than was taken."""

    code = "refund_exceeds_capture"


class CreditExceedsLine(Invalid):
    """More would be credited than is left on the line."""

    code = "credit_exceeds_line"


class PaymentExceedsDue(Invalid):
    """More would be paid than is still open."""

    code = "payment_exceeds_due"


class DisputeExceedsCapture(Invalid):
    """More would be disputed than was taken and is left."""

    code = "dispute_exceeds_capture"


class EmptyInvoice(Invalid):
    """An invoice needs at least one line."""

    code = "empty_invoice"


class BadRows(Invalid):
    """Some rows cannot be right; nothing of the others was written."""

    code = "bad_rows"

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        self.faults = tuple(faults)
        super().__init__(f"{len(self.faults)} rows or fields cannot be right; nothing was written")


class IdempotencyKeyReused(Invalid):
    """This Idempotency-Key was used before with another request."""

    code = "idempotency_key_reused"


class Conflict(BillingError):
    """The request is right in itself but not in the present state."""

    code = "conflict"


class TransitionNotAllowed(Conflict):
    """This state does not allow that."""

    code = "transition_not_allowed"


class AlreadyExists(Conflict):
    """There is already one of these."""

    code = "already_exists"


class OutcomeUnknown(Conflict):
    """A call to the provider may be under way; nothing that depends on it can be decided now."""

    code = "outcome_unknown"


class AuthorizationStands(Conflict):
    """The provider holds money for this invoice."""

    code = "authorization_stands"


class UnderDispute(Conflict):
    """The customer disputes this invoice; no money moves until that is decided."""

    code = "under_dispute"


class BalanceTooLow(Conflict):
    """The customer's balance holds less than that."""

    code = "balance_too_low"


class ContradictsProvider(Conflict):
    """The provider's record says something else."""

    code = "contradicts_provider"

    def __init__(
        self,
        message: str | None = None,
        *,
        ours: Mapping[str, str | int | None] | None = None,
        provider: Mapping[str, str | int | None] | None = None,
    ) -> None:
        self.ours, self.provider = dict(ours or {}), dict(provider or {})
        super().__init__(message)


class RecordUnreadable(Conflict):
    """The provider's record cannot be read here; look there, and say `unverified`."""

    code = "record_unreadable"


class PlanArchived(Conflict):
    """The plan is archived and takes no new subscriptions."""

    code = "plan_archived"


class VaultError(BillingError):
    """The sealed record does not open."""

    code = "vault_error"


class NotReady(BillingError):
    """The service is not set up."""

    code = "not_ready"
