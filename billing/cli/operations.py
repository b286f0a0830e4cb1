"""Calls to the provider, as a table."""

import click

from api.operations import OperationOut, operation_out
from billing.adapters.clock import SystemClock
from billing.cli.copies import read_only
from billing.cli.tables import age_text, print_table
from billing.domain.hledger import decimal_text
from billing.domain.ids import Prefix, parse, shown
from billing.domain.operations import OperationKind, OperationStatus
from billing.use_cases import look_up
from billing.use_cases.look_up import Slice

FOUND = 1


@click.command()
@click.option(
    "--status", type=click.Choice([status.value for status in OperationStatus]), help="Only those with this status."
)
@click.option("--kind", type=click.Choice([kind.value for kind in OperationKind]), help="Only those of this kind.")
@click.option("--subscription", help="Only those of this subscription: sub_...")
@click.option("--invoice", help="Only those of this invoice: inv_...")
@click.option("--account", help="Only those of this provider account.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Rows at most.")
@click.option("--after", help="Go on behind this operation: op_...")
def operations(
    status: str | None,
    kind: str | None,
    subscription: str | None,
    invoice: str | None,
    account: str | None,
    limit: int,
    after: str | None,
) -> None:
    """Calls to the provider, oldest first: how old each is, how often it was sent, when it is asked about next.

    \b
    Example: billing operations --status unknown
    Exit codes: 0 there are none, 1 there are some, 2 wrong command line, 3 an id is of another form, or the database is
    not migrated or cannot be reached.
    """
    part = Slice(limit, None if after is None else parse(Prefix.OPERATION, after))
    invoice_id = None if invoice is None else parse(Prefix.INVOICE, invoice)
    subscription_id = None if subscription is None else parse(Prefix.SUBSCRIPTION, subscription)
    with read_only() as database:
        page = look_up.operations(
            database,
            part,
            status=status,
            kind=kind,
            invoice_id=invoice_id,
            subscription_id=subscription_id,
            provider_account=account,
        )
    now = SystemClock().now()
    rows = [operation_out(found, now) for found in page.rows]
    if not rows:
        click.echo("there are none")
        return
    columns = ("OPERATION", "KIND", "STATUS", "AMOUNT", "AGE", "SENDS", "NEXT CHECK", "INVOICE", "LAST ANSWER")
    print_table(columns, (_row(row) for row in rows))
    if page.next is not None:
        click.echo(f"go on with --after {shown(Prefix.OPERATION, page.next)}")
    raise SystemExit(FOUND)


def _row(row: OperationOut) -> tuple[str, ...]:
    asked = row.next_check_at.isoformat(timespec="seconds") if row.next_check_at else "-"
    last = row.observations[-1] if row.observations else None
    answer = "-" if last is None else " ".join(part for part in (last.outcome, last.code, last.message) if part)
    return (
        row.id,
        row.kind,
        row.status,
        f"{decimal_text(row.amount.amount, row.amount.currency)} {row.amount.currency}",
        age_text(row.age_seconds),
        str(row.sends),
        asked,
        row.invoice_id or "-",
        answer,
    )
