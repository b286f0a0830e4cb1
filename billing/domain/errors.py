"""What can be wrong, in our terms. `api/errors.py` alone knows HTTP statuses.

    BillingError
    ├── NotFound                  an id in the path that is not there
    ├── Invalid                   the request cannot be right
    │   ├── CurrencyMismatch
    │   ├── RefundExceedsCapture
    │   ├── CreditExceedsLine
    │   ├── EmptyInvoice
    │   └── IdempotencyKeyReused
    ├── Conflict                  right in itself, but not in this state
    │   ├── TransitionNotAllowed
    │   ├── AlreadyExists
    │   └── PlanArchived
    ├── VaultError                a record does not open; one message for every cause
    └── NotReady                  the service itself is not set up: key, database, port

The docstring of a class is its default message. A decline, a time-out or a dead provider is no error here: it is an
outcome (`billing/ports.py`), because the row that waits for it must be written whatever happened.
"""


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


class EmptyInvoice(Invalid):
    """An invoice needs at least one line."""

    code = "empty_invoice"


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


class PlanArchived(Conflict):
    """The plan is archived and takes no new subscriptions."""

    code = "plan_archived"


class VaultError(BillingError):
    """The sealed record does not open."""

    code = "vault_error"


class NotReady(BillingError):
    """The service is not set up."""

    code = "not_ready"
