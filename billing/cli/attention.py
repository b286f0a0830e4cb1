"""What needs a person today, as a table."""

import click

from api.admin.attention import AttentionOut, attention_out
from billing.adapters.clock import SystemClock
from billing.cli.copies import read_only
from billing.cli.tables import age_text, print_table
from billing.domain.hledger import decimal_text
from billing.use_cases.attention import attention as needs_a_person

NEEDS_A_PERSON = 1


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Entries at most.")
@click.option("--after", help="Go on behind this place: `next` of the part before.")
def attention(as_json: bool, limit: int, after: str | None) -> None:
    """What needs a person today: what halts charging first, then the largest amounts, each with the one thing to do.

    \b
    Example: billing attention --limit 20
    Exit codes: 0 nothing needs a person, 1 something does, 2 wrong command line, 3 the database is not migrated or
    cannot be reached.
    """
    now = SystemClock().now()
    with read_only() as database:
        found = attention_out(needs_a_person(database, now, limit=limit, after=after), now)
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found.data, found.count, found.next)
    if found.count:
        raise SystemExit(NEEDS_A_PERSON)


def _print(entries: list[AttentionOut], count: int, following: str | None) -> None:
    if not count:
        click.echo("nothing needs a person")
        return
    columns = ("AMOUNT", "KIND", "AGE", "WHOSE", "WHY", "WHAT TO DO")
    print_table(columns, (_row(entry) for entry in entries))
    click.echo(f"{len(entries)} of {count} shown" + (f"; go on with --after {following}" if following else ""))


def _row(entry: AttentionOut) -> tuple[str, ...]:
    money = entry.amount
    amount = "-" if money is None else f"{decimal_text(money.amount, money.currency)} {money.currency}"
    whose = entry.invoice_id or entry.subscription_id or entry.provider_account or "-"
    action = f"{entry.action.what}: {entry.action.method} {entry.action.path}"
    return amount, entry.kind, age_text(entry.age_seconds), whose, entry.why, action
