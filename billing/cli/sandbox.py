"""The sandbox of the provider, as a command."""

from pathlib import Path

import click

from billing.sandbox.server import serve as serve_sandbox


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=7001, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--data", type=click.Path(path_type=Path), default=Path("var/sandbox"), show_default=True)
@click.option("--seed", default="perennial", show_default=True, help="Number or text that all behaviour is drawn from.")
@click.option("--parent-pipe", is_flag=True, help="End when standard input ends: for a parent that may be killed.")
def sandbox(port: int, host: str, data: Path, seed: str, parent_pipe: bool) -> None:
    """Run a sandbox of Klarna, both generations, its books in DIR/sandbox.sqlite3.

    REST: user sandbox, password sandbox. XML-RPC at / and /xmlrpc and recurring
    orders under /checkout/recurring: eid 4711, secret sharedSecret.

    Tokens by name, in both generations: always_ok, decline_soft, decline_hard,
    suspended, flaky, pending_then_ok, pending_then_rejected. Pages for a person,
    where a purchase is approved and a token comes of it: http://HOST:PORT/_sandbox/.

    \b
    Example: billing sandbox --port 7001 --data var/sandbox
    Exit codes: 0 stopped, 3 the port is in use or the directory cannot be used.
    """
    serve_sandbox(host, port, data, seed, parent_pipe)
