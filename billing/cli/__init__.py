"""The commands. Each says in `--help` what it does, with an example and its exit codes.

0: done. 1: done, and the answer is no. 2: the command line is wrong. 3: the service is not set up for it.
"""

import click

from billing.cli.attention import attention
from billing.cli.demo import demo
from billing.cli.export import export
from billing.cli.failing import SaysWhy
from billing.cli.operations import operations
from billing.cli.prepare import keys, migrate, vault
from billing.cli.proof import proof
from billing.cli.restore import restore
from billing.cli.sandbox import sandbox
from billing.cli.serve import run, serve, worker
from billing.cli.verify import verify


@click.group(cls=SaysWhy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="perennial", prog_name="billing")
def main() -> None:
    """Recurring billing: renewals that charge once, sealed tokens, Klarna behind one port.

    \b
    Example, the first start:
      billing migrate && billing vault init && billing keys create --name shop && billing serve
    Exit codes: 0 done, 1 the answer is no, 2 wrong command line, 3 not set up.
    """


for command in (
    serve,
    worker,
    run,
    migrate,
    vault,
    keys,
    sandbox,
    demo,
    export,
    restore,
    verify,
    attention,
    operations,
    proof,
):
    main.add_command(command)
