"""How an answer is stored together with its effect: in the same transaction, or neither."""

from collections.abc import Callable
from typing import TypeVar

from sqlmodel import Session

Result = TypeVar("Result")

Record = Callable[[Session, Result], None]
"""Called last in a use case's transaction with what the use case is about to return."""


def nothing(session: Session, result: object) -> None:
    """Record nothing: for callers that cannot repeat themselves."""
