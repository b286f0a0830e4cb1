"""Errors carry a stable code, a readable message, the field they are about and the figures."""

import pytest

from billing.domain import errors
from billing.domain.errors import BillingError, Conflict, CreditExceedsLine, Invalid, NotFound, VaultError

ALL = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, BillingError)]
COUNTED = [errors.BadRows]
"""Their message counts what they carry."""


@pytest.mark.parametrize("error", [e for e in ALL if e not in COUNTED], ids=lambda error: error.__name__)
def test_the_docstring_of_an_error_is_its_default_message(error: type[BillingError]) -> None:
    assert error().message == str(error()) == error.__doc__
    assert error().message.endswith(".")


def test_every_code_is_unique_and_fit_for_machines() -> None:
    codes = [error.code for error in ALL]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)


def test_an_error_keeps_its_field_and_its_figures() -> None:
    error = CreditExceedsLine("3 are more than 2", where="lines[0]", requested=3, possible=2)
    assert (str(error), error.where, error.facts) == ("3 are more than 2", "lines[0]", {"requested": 3, "possible": 2})


def test_each_error_stands_under_exactly_one_branch() -> None:
    branches = (NotFound, Invalid, Conflict, VaultError, errors.NotReady)
    for error in ALL:
        if error is not BillingError:
            assert sum(issubclass(error, branch) for branch in branches) == 1


def test_every_error_is_drawn_in_the_tree() -> None:
    for error in ALL:
        assert f"{error.__name__}\n" in f"{errors.__doc__}".replace("  ", "\n")


def test_refused_rows_are_kept_and_counted() -> None:
    error = errors.BadRows([("rows[0].quantity", "0 is no quantity"), ("rows[3]", "stands twice")])
    assert error.faults == (("rows[0].quantity", "0 is no quantity"), ("rows[3]", "stands twice"))
    assert str(error) == "2 rows or fields cannot be right; nothing was written"


def test_without_docstrings_an_error_has_an_empty_message() -> None:
    assert type("Bare", (BillingError,), {})().message == ""
