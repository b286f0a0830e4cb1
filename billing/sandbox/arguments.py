"""The parameters of one XML-RPC call by name, in whichever form of "nothing" a client left them out."""

import re
from decimal import Decimal
from typing import Any

from billing.sandbox.wire import Call, Fault, XmlRpcFault
from billing.sandbox.xmlrpc import BAD_TYPE

_RATE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
_NOTHING: tuple[Any, ...] = ("", [], {}, None)
INT_MAX = 2**31 - 1


class Arguments:
    """Read by name; a value of another type than it must have is fault 9105. `fault` spoils the answer."""

    def __init__(self, values: dict[str, Any], call: Call | None = None) -> None:
        self.values = values
        self.call = call
        self.fault: Fault | None = None

    def text(self, name: str) -> str:
        """A text; a number is taken for its digits, and nothing is an empty text."""
        value = _plain(self.values.get(name))
        if value in _NOTHING:
            return ""
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise self.bad(name, "must be text")
        return str(value)

    def whole(self, name: str, otherwise: int = 0) -> int:
        """A whole number, also as digits, as a double without a fraction, or as yes or no; nothing is `otherwise`."""
        value = _plain(self.values.get(name))
        if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) <= 10:
            value = int(value)
        if value in _NOTHING:
            return otherwise
        if not isinstance(value, int) or abs(value) > INT_MAX:
            raise self.bad(name, "must be a whole number")
        return int(value)

    def percent(self, name: str) -> Decimal:
        """A rate in percent, whole or not, also as digits."""
        value = self.values.get(name)
        if isinstance(value, str) and _RATE.fullmatch(value):
            value = Decimal(value)
        if value in _NOTHING:
            return Decimal(0)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)) or not 0 <= value <= 100:
            raise self.bad(name, "must be a rate in percent")
        return Decimal(value)

    def flag(self, name: str) -> bool:
        """Yes or no, also as a number or its digits."""
        return self.values.get(name) not in (*_NOTHING, 0, "0", "false")

    def struct(self, name: str) -> "Arguments":
        """The members of a struct; an empty text and an empty list are empty structs."""
        value = self.values.get(name)
        if value in _NOTHING:
            return Arguments({}, self.call)
        if not isinstance(value, dict):
            raise self.bad(name, "must be a struct")
        return Arguments(value, self.call)

    def structs(self, name: str) -> "list[Arguments]":
        """The structs of a list; an empty text and an empty struct are empty lists.

        PHP writes a list with a gap in it, or one that does not begin at 0, as a struct whose names are its keys.
        """
        value = self.values.get(name)
        if isinstance(value, dict) and all(key.isdecimal() for key in value):
            value = list(value.values())
        if value in _NOTHING:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise self.bad(name, "must be a list of structs")
        return [Arguments(entry, self.call) for entry in value]

    def has(self, name: str) -> bool:
        return self.values.get(name) not in _NOTHING

    def bad(self, name: str, why: str) -> XmlRpcFault:
        return XmlRpcFault(BAD_TYPE, f"{name} {why}.")


def _plain(value: Any) -> Any:
    """A double without a fraction as the whole number that it is."""
    is_whole = isinstance(value, Decimal) and value == value.to_integral_value() and abs(value) <= INT_MAX
    return int(value) if is_whole else value
