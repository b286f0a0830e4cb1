"""How a command fails: one sentence on stderr and an exit code, never a traceback for what a person can put right."""

import errno
import os
import signal
import socket
import tomllib
from collections.abc import Callable
from typing import Any

import click
from pydantic import ValidationError
from pydantic_settings import SettingsError
from sqlalchemy.exc import DatabaseError, OperationalError

from billing.domain.errors import BillingError, NotReady

NOT_READY = 3
INTERRUPTED = 130


class SaysWhy(click.Group):
    """A group whose commands turn what a person can put right into a sentence."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; exit 3 with a sentence where the service is not set up for it."""
        try:
            return super().invoke(context)
        except BillingError as error:
            raise _Failure(error.message) from None
        except DatabaseError as error:
            # The narrower classes are statements that were refused: our mistake, and its traceback is wanted.
            if type(error) not in (DatabaseError, OperationalError):
                raise
            raise _Failure(f"the database cannot be reached or used: {' '.join(str(error.orig).split())}") from None
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
            raise _Failure(f"the settings are wrong: {wrong}") from None
        except tomllib.TOMLDecodeError as error:
            raise _Failure(f"the configuration file is not TOML: {error}") from None
        except SettingsError as error:
            raise _Failure(f"the settings are wrong: {error}") from None
        except FileNotFoundError as error:
            raise _Failure(f"the file {error.filename or error} does not exist") from None
        except OSError as error:
            place = f" ({error.filename})" if error.filename else ""
            raise _Failure(f"the machine refused: {error.strerror or type(error).__name__}{place}") from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            raise SystemExit(INTERRUPTED) from None


class _Failure(click.ClickException):
    exit_code = NOT_READY


def bound_socket(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `NotReady` where the port is taken or the host is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except socket.gaierror:
        listener.close()
        raise NotReady(f"the host {host} is not known here") from None
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise NotReady(f"port {port} on {host} is in use; stop what listens there or choose --port 0") from None
        raise NotReady(f"cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}") from None
    return listener


def kill_points() -> Callable[[str], None]:
    """Told of every step; with BILLING_KILL_AT=STEP:N the process kills itself at the Nth time of that step.

    For fault tests: what a crash leaves behind is only known from real ones.
    """
    step, _, count = os.environ.get("BILLING_KILL_AT", "").partition(":")
    if not (count or "1").isdecimal():
        raise NotReady("BILLING_KILL_AT is STEP:N, such as gate.committed:3")
    left = int(count or 1)

    def passed(name: str) -> None:
        nonlocal left
        if name == step:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return passed
