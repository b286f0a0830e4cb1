"""The proof of one period, for whoever asks whether a customer was charged once."""

import click

from api.proofs import BookingOut, ProofOut, ProvenInvoiceOut, ProvenOperationOut, SealOut, proof_out
from billing.cli.copies import read_only
from billing.domain.errors import Invalid, NotFound
from billing.domain.hledger import decimal_text
from billing.domain.ids import Prefix, parse
from billing.use_cases.prove_period import prove_period

NOT_PROVEN = 1


@click.command()
@click.argument("period")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the text.")
def proof(period: str, as_json: bool) -> None:
    """Everything that shows what was charged for PERIOD (per_...), and once: invoices, calls with how to recompute
    their keys, answers, bookings, seals.

    \b
    Example: billing proof per_01890000000070008000000000000001
    Exit codes: 0 proven, 1 there is no such period, or something of it does not fit, 2 wrong command line, 3 the
    database is not migrated or cannot be reached.
    """
    try:
        with read_only() as database:
            found = proof_out(prove_period(database, parse(Prefix.PERIOD, period)))
    except (NotFound, Invalid) as error:
        click.echo(f"no proof: {error.message}", err=True)
        raise SystemExit(NOT_PROVEN) from None
    if as_json:
        click.echo(found.model_dump_json(indent=2))
    else:
        _print(found)
    if not fits(found):
        click.echo("something of it does not fit; run billing verify", err=True)
        raise SystemExit(NOT_PROVEN)


def fits(proven: ProofOut) -> bool:
    """Whether at most one purchase of each invoice can take money, and every frozen call has its own key and digest."""
    calls = [call for invoice in proven.invoices for call in invoice.operations]
    kept = all(call.request_has_this_digest is not False and call.key.is_its_own is not False for call in calls)
    return kept and all(invoice.live_purchases <= 1 for invoice in proven.invoices)


def _print(found: ProofOut) -> None:
    click.echo(f"period {found.id} of {found.subscription_id}, number {found.seq} ({found.kind})")
    click.echo(f"  [{found.start_date}, {found.end_date}) in {found.zone}")
    if not found.invoices:
        click.echo("  no invoice: nothing was claimed for it")
    for invoice in found.invoices:
        _print_invoice(invoice)


def _print_invoice(invoice: ProvenInvoiceOut) -> None:
    money = invoice.total
    click.echo(f"invoice {invoice.id} ({invoice.kind}, {invoice.status}, number {invoice.number or 'none'})")
    click.echo(f"  total {_text(money.amount, money.currency)}, captured {invoice.captured.amount} minor units")
    click.echo(f"  {invoice.statement}")
    for line in invoice.lines:
        amount = _text(line.amount.amount, line.amount.currency)
        click.echo(f"  line {line.position}: {line.name}, {line.quantity} at {amount}: {line.derivation}")
    for operation in invoice.operations:
        _print_operation(operation)
    for booking in invoice.ledger:
        _print_booking(booking)


def _print_operation(call: ProvenOperationOut) -> None:
    click.echo(f"  {call.kind} {call.n} {call.id}: {call.status}, {_text(call.amount.amount, call.amount.currency)}")
    if call.standing is not None:
        because = f": {call.dead_because}" if call.dead_because else ""
        click.echo(f"    {call.standing}, authorization {call.authorization}{because}")
    own = {True: "as sent", False: "NOT THE ONE THAT WAS SENT", None: "not sent yet"}[call.key.is_its_own]
    click.echo(f"    key {call.key.key} ({own})")
    click.echo(f'      = UUIDv5({call.key.namespace}, "{"|".join(call.key.parts)}")')
    click.echo(f"    reference {call.merchant_reference or call.key.merchant_reference} = op- and SHA-256 of the key")
    if call.request_path is not None:
        digest = "" if call.request_has_this_digest else " WHICH THE KEPT BYTES DO NOT HAVE"
        click.echo(f"    {call.request_method} {call.request_path}, sha256 {call.request_sha256}{digest}")
        click.echo(
            f"    sent {call.sends} time(s), first at {call.sent_at}, provider's id {call.provider_id or 'none'}"
        )
    for seen in call.observations:
        said = " ".join(str(part) for part in (seen.http_status, seen.code, seen.message) if part is not None)
        click.echo(f"    answer {seen.at}: {seen.outcome}{' (settled it)' if seen.settled else ''} {said}")
    for decision in call.decisions:
        click.echo(f"    decided {decision.at}: {decision.verb} by {decision.by}: {decision.reason}")
    for reveal in call.reveals:
        click.echo(f"    token opened {reveal.at} by {reveal.worker}; {_seal(reveal.seal)}")


def _print_booking(booking: BookingOut) -> None:
    entries = ", ".join(
        f"{entry.account} {_text(entry.amount.amount, entry.amount.currency)}" for entry in booking.entries
    )
    click.echo(f"  booked {booking.kind}: {entries}; {_seal(booking.seal)}")


def _seal(seal: SealOut | None) -> str:
    return "not sealed yet" if seal is None else f"sealed in block {seal.seq}, sha256 {seal.sha256}"


def _text(amount: int, currency: str) -> str:
    return f"{decimal_text(amount, currency)} {currency}"
