"""XML-RPC as Klarna writes it: ISO-8859-1, numbers below 2^31, no nil. Writing is trusting, reading is not.

What does not follow the grammar exactly reads as None, whatever it is: an entity bomb, a page, half an answer.
"""

import re
import xmlrpc.client  # writes only: every reading goes through defusedxml
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from defusedxml.ElementTree import ParseError, fromstring

from billing.domain.errors import Invalid

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

Value = bool | int | float | str | list["Value"] | dict[str, "Value"]

ENCODING = "iso-8859-1"
INTEGER_MAX = 2**31 - 1
NESTING_MAX = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """A refusal in Klarna's words. The text is for people and in their language; only the code decides."""

    code: int
    message: str


def written_call(method: str, params: Sequence[Value]) -> bytes:
    """The bytes of a call. Characters outside ISO-8859-1 become numeric references.

    Raises `Invalid` for a number that XML-RPC cannot carry and a character that XML cannot.
    """
    for index, param in enumerate(params):
        _check_writable(param, f"{method}[{index}]")
    text = xmlrpc.client.dumps(tuple(params), method, encoding=ENCODING)
    return text.encode(ENCODING, "xmlcharrefreplace")


def read_call(body: bytes) -> tuple[str, list[Value]] | None:
    """Method and parameters of a call that we wrote, or None where these bytes are none."""
    try:
        name, params = _children(_root(body, "methodCall"), "methodName", "params")
        return name.text or "", [_param(param) for param in params]
    except (ValueError, LookupError, ParseError):
        return None


def read_response(body: bytes) -> Value | Fault | None:
    """The value or the fault of an answer, or None where it is neither, exactly. Never raises."""
    try:
        [content] = _root(body, "methodResponse")
        if content.tag == "fault":
            return _fault(content)
        [param] = _named(content, "params")
        return _param(param)
    except (ValueError, LookupError, ParseError):
        return None


def is_writable_text(text: str) -> bool:
    """Whether `text` has no control characters, surrogates or others that XML would change, refuse or lose."""
    return not re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", text)


def _check_writable(value: Value, where: str) -> None:
    match value:
        case bool() | float():
            return
        case int() if not -INTEGER_MAX <= value <= INTEGER_MAX:
            raise Invalid(f"{where} must be a whole number below 2^31, not {value}", where=where)
        case str() if not is_writable_text(value):
            raise Invalid(f"{where} holds characters that XML cannot carry", where=where)
        case list():
            for part in value:
                _check_writable(part, where)
        case dict():
            for name, part in value.items():
                _check_writable(part, f"{where}.{name}")


def _root(body: bytes, tag: str) -> "Element":
    # A document type is how entities are declared, and no XML-RPC document has one.
    return _named(fromstring(body, forbid_dtd=True, forbid_entities=True, forbid_external=True), tag)


def _named(element: "Element", tag: str) -> "Element":
    if element.tag != tag or element.attrib or (element.text or "").strip():
        raise ValueError(tag)
    return element


def _children(element: "Element", *tags: str) -> list["Element"]:
    children = list(element)
    stray = any((child.tail or "").strip() for child in children)
    if tuple(child.tag for child in children) != tags or stray:
        raise ValueError(element.tag)
    return children


def _param(element: "Element") -> Value:
    [value] = _children(_named(element, "param"), "value")
    return _value(value, NESTING_MAX)


def _fault(element: "Element") -> Fault:
    [value] = _children(_named(element, "fault"), "value")
    match _value(value, NESTING_MAX):
        case {"faultCode": int() as code, "faultString": str() as message, **rest} if not rest and type(code) is int:
            return Fault(code, message)
    raise ValueError("fault")


def _value(element: "Element", room: int) -> Value:
    if room == 0 or element.tag != "value":
        raise ValueError("value")
    if len(element) == 0:
        return element.text or ""
    [typed] = _named(element, "value")
    if (typed.tail or "").strip():
        raise ValueError("text beside a typed value")
    return _READERS[typed.tag](typed, room)


def _integer(element: "Element", _room: int) -> int:
    number = int(_matching(element, r"[+-]?[0-9]{1,10}"))
    if not -INTEGER_MAX - 1 <= number <= INTEGER_MAX:
        raise ValueError("a number above 32 bits")
    return number


def _boolean(element: "Element", _room: int) -> bool:
    return _matching(element, "[01]") == "1"


def _double(element: "Element", _room: int) -> float:
    return float(_matching(element, r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?"))


def _string(element: "Element", _room: int) -> str:
    if len(element):
        raise ValueError("string")
    return element.text or ""


def _array(element: "Element", room: int) -> list[Value]:
    [data] = _children(_named(element, "array"), "data")
    return [_value(entry, room - 1) for entry in _named(data, "data")]


def _struct(element: "Element", room: int) -> dict[str, Value]:
    members: dict[str, Value] = {}
    for member in _named(element, "struct"):
        name, value = _children(_named(member, "member"), "name", "value")
        key = _string(name, room)
        if key in members:
            raise ValueError("a name is given twice")
        members[key] = _value(value, room - 1)
    return members


def _matching(element: "Element", pattern: str) -> str:
    text = _string(element, 0).strip()
    if not re.fullmatch(pattern, text):
        raise ValueError(element.tag)
    return text


_READERS: Mapping[str, Callable[["Element", int], Value]] = {
    "int": _integer,
    "i4": _integer,
    "boolean": _boolean,
    "double": _double,
    "string": _string,
    "array": _array,
    "struct": _struct,
}
