"""XML-RPC as Klarna's clients of that time speak it: ISO-8859-1, parsed without DTDs, answered with HTTP 200.

Knows the format alone; which methods there are and what they do stands elsewhere.
"""

import re
from base64 import b64decode
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from billing.sandbox.wire import Answer, Refusal, XmlRpcFault

MALFORMED, BAD_TYPE = 3999, 9105
TEXT_XML = {"Content-Type": "text/xml; charset=ISO-8859-1"}

_INT_LIMIT = 2**31
_EXTENSIONS = "{http://ws.apache.org/xmlrpc/namespaces/extensions}"
_PROLOG = "<?xml version='1.0' encoding='ISO-8859-1'?>\n"
_DECLARED = re.compile(rb"<\?xml[^>]*\bencoding\s*=")
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]+)", re.IGNORECASE)


def read_call(raw: bytes, content_type: str) -> tuple[str, tuple[Any, ...]]:
    """Method and parameters; a double becomes a Decimal. Raises XmlRpcFault for what is no method call."""
    try:
        root = _parsed(raw, content_type)
        method = _method(root)
        return method, tuple(_value(value) for value in root.findall("params/param/value"))
    except (ParseError, DefusedXmlException, ValueError, LookupError, InvalidOperation, RecursionError):
        raise XmlRpcFault(MALFORMED, "The request is not an XML-RPC method call.") from None


def response(value: Any) -> Answer:
    return _answer(f"<methodResponse><params><param>{_written(value)}</param></params></methodResponse>")


def refusal_answer(refusal: Refusal, correlation_id: str) -> Answer:  # noqa: ARG001  one signature for all interfaces
    """A fault; what is wrong with the transport is an HTTP error, which no client of that time can read."""
    if isinstance(refusal, XmlRpcFault):
        fault = _written({"faultCode": refusal.code, "faultString": refusal.message})
        return _answer(f"<methodResponse><fault>{fault}</fault></methodResponse>")
    page = f"<html><body><h1>{refusal.status} {escape(refusal.message)}</h1></body></html>"
    return Answer(refusal.status, page.encode(), {"Content-Type": "text/html"} | refusal.headers)


def _answer(xml: str) -> Answer:
    return Answer(200, (_PROLOG + xml).encode("iso-8859-1", "xmlcharrefreplace"), TEXT_XML)


def _parsed(raw: bytes, content_type: str) -> Element:
    declared = _DECLARED.match(raw.lstrip()) is not None
    charset = None if declared else _CHARSET.search(content_type)
    parser = DefusedXMLParser(encoding=charset[1] if charset else None, forbid_dtd=True)
    parser.feed(raw.lstrip())
    root: Element = parser.close()
    return root


def _method(root: Element) -> str:
    method = (root.findtext("methodName") or "").strip()
    if root.tag != "methodCall" or not method:
        raise ValueError("no method")
    return method


def _value(element: Element) -> Any:
    typed = next(iter(element), None)
    if typed is None:
        return element.text or ""  # a value without a type is a text
    text = typed.text or ""
    match typed.tag.removeprefix(_EXTENSIONS):
        case "int" | "i4" | "i8":
            return int(text)
        case "double":
            return _finite(Decimal(text.strip()))
        case "boolean":
            return text.strip() in ("1", "true")
        case "array":
            return [_value(value) for value in typed.findall("data/value")]
        case "struct":
            return {member.findtext("name") or "": _member(member) for member in typed.findall("member")}
        case "nil":
            return ""
        case "base64":
            return b64decode(text).decode("iso-8859-1")
        case "string" | "dateTime.iso8601":
            return text
    raise ValueError("no such type")


def _finite(number: Decimal) -> Decimal:
    if not number.is_finite():
        raise ValueError("no number")
    return number


def _member(member: Element) -> Any:
    value = member.find("value")
    if value is None:
        raise ValueError("a member without a value")
    return _value(value)


def _written(value: Any) -> str:
    match value:
        case bool():
            inner = f"<boolean>{int(value)}</boolean>"
        case int():
            assert -_INT_LIMIT <= value < _INT_LIMIT, "XML-RPC has no larger whole numbers"
            inner = f"<int>{value}</int>"
        case str():
            inner = f"<string>{escape(value, quote=False)}</string>"
        case dict():
            members = (f"<member><name>{escape(name)}</name>{_written(part)}</member>" for name, part in value.items())
            inner = f"<struct>{''.join(members)}</struct>"
        case Sequence():
            inner = f"<array><data>{''.join(_written(part) for part in value)}</data></array>"
        case _:
            raise AssertionError("answers are made of texts, whole numbers, lists and structs")
    return f"<value>{inner}</value>"
