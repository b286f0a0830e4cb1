"""The checker of any database (`billing verify`) on a world's database, with the provider's own ledger beside it."""

from collections.abc import Iterator

from simulation.provider import OrderKept, Provider
from simulation.stage import Breach
from simulation.world import World

from billing.verify import check
from billing.verify.exports import Ledger, Movement


def verify(world: World) -> None:
    """Raises `Breach` with what the checker found."""
    ledger = Ledger("the provider's own", "main", tuple(_movements(world)))
    url = world.plain.engine.url.render_as_string(hide_password=False)
    report = check(url, now=world.now, ledgers=[ledger])
    broken = [finding for finding in report.findings if finding.offending]
    if broken:
        first = broken[0]
        rows = [dict(row) for row in first.rows[:3]]
        raise Breach(f"the checker says {first.invariant}, {first.sentence}: {first.offending} rows, {rows}")


def _movements(world: World) -> Iterator[Movement]:
    provider: Provider = world.provider
    for order in provider.orders.values():
        is_closed = not order.is_alive(world.now)
        yield _movement(order, "purchase", order.id, order.amount, "", is_closed=is_closed)
        for capture in order.captures:
            yield _movement(order, "capture", capture.id, capture.amount, capture.reference)
        for refund in order.refunds:
            yield _movement(order, "refund", refund.id, refund.amount, refund.reference)


def _movement(
    order: OrderKept, kind: str, id_: str, amount: int, reference: str, *, is_closed: bool = False
) -> Movement:
    return Movement(
        place=f"{kind} {id_}",
        account="main",
        generation=None,
        kind=kind,
        id=id_,
        order_id=order.id,
        amount=amount,
        currency=order.currency,
        invoice_reference=order.invoice,
        own_reference=order.reference,
        reference=reference,
        is_closed=is_closed,
        at=order.made_at,
    )
