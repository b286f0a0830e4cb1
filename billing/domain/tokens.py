"""A provider's token in memory: a value that does not print, format, copy, pickle or compare in variable time.

It is opened on the way to the wire and nowhere else (the vault owns sealing; the adapter owns `reveal`).
"""

import hmac
from typing import NoReturn


class Token:
    """A recurring token in plain. The only way to its text is `reveal()`, which is easy to search for."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the request line or the sealing of a record. Never log, store or raise with it."""
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Token):
            return NotImplemented
        return hmac.compare_digest(_octets(self._text), _octets(other._text))

    def __hash__(self) -> NoReturn:
        raise TypeError("a token is not a key")

    def __repr__(self) -> str:
        return "Token(hidden)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __getstate__(self) -> NoReturn:
        raise TypeError("a token has no state to give out")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not copied or pickled")


def _octets(text: str) -> bytes:
    # A lone surrogate must not raise here: the error would carry the text.
    return text.encode("utf-8", "surrogatepass")
