"""The digests of the older generation: which values of a call are signed, in which order, and how.

Zero counts as a value, an empty text does not; the secret always comes last.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from billing.sandbox.arguments import Arguments
from billing.sandbox.merchant import SECRET

Signed = tuple[str, ...] | Callable[[Arguments], Iterable[Any]]
"""The names of the signed values, or a function that lists the values."""

_ALGORITHMS = {64: "sha512", 48: "sha384", 32: "sha256", 20: "sha1", 16: "md5"}
"""Klarna takes the older ones too: which it is shows by the length."""

_NOTHING: tuple[Any, ...] = (None, "", [], {})

_ACTIVATION = ("bclass", "cust_no", "flags", "ocr", "orderid1", "orderid2", "reference", "reference_code")
_ADDRESS = ("careof", "street", "zip", "city", "country", "fname", "lname")


def is_signed(arguments: Arguments, signed: Signed) -> bool:
    """Whether the call's digest is that of its values and the shared secret."""
    if isinstance(signed, tuple):
        parts: Iterable[Any] = [arguments.values.get(name) for name in signed]
    else:
        parts = signed(arguments)
    given = _decoded(arguments.values.get("digest"))
    algorithm = _ALGORITHMS.get(len(given))
    if algorithm is None:
        return False
    preimage = ":".join([*(str(part) for part in parts), SECRET]).encode("iso-8859-1", "replace")
    computed = hashlib.new(algorithm, preimage, usedforsecurity=False).digest()
    return hmac.compare_digest(computed, given)


def is_authorized(header: str | None, raw: bytes) -> bool:
    """Whether `Authorization: Klarna ...` signs these very bytes, as the checkout of that time asks for it."""
    computed = base64.b64encode(hashlib.sha256(raw + SECRET.encode()).digest()).decode()
    return hmac.compare_digest(f"Klarna {computed}".encode(), (header or "").encode())


def activation(arguments: Arguments) -> Iterator[Any]:
    info = arguments.struct("optional_info")
    shipment = info.struct("shipment_info")
    listed = (value for article in info.structs("artnos") for value in _article(article))
    own = (info.values.get(name) for name in _ACTIVATION)
    return _present(arguments, (*own, shipment.values.get("delay_adjust"), *listed))


def update(arguments: Arguments) -> Iterator[Any]:
    info = arguments.struct("update_info")
    places = [info.struct(name) for name in ("dlv_addr", "bill_addr")]
    addresses = [place.values.get(name) for place in places for name in _ADDRESS]
    goods = [value for line in info.structs("goods_list") for value in _good(line)]
    return _present(arguments, (*addresses, *goods, info.values.get("orderid1"), info.values.get("orderid2")))


def articles(arguments: Arguments) -> Iterator[Any]:
    """An invoice and the articles on it."""
    yield arguments.values.get("eid")
    yield arguments.values.get("invno")
    for article in arguments.structs("artnos"):
        yield from _article(article)


def person_and_goods(arguments: Arguments) -> Iterator[Any]:
    """Here a good is signed by its article number alone, even where that is empty."""
    yield arguments.values.get("eid")
    yield arguments.values.get("pno")
    for line in arguments.structs("goods_list"):
        yield line.struct("goods").text("artno")
        yield line.values.get("qty")


def _present(arguments: Arguments, parts: Iterable[Any]) -> Iterator[Any]:
    version = str(arguments.values.get("proto_vsn", "")).replace(".", ":")
    first = (version, *(arguments.values.get(name) for name in ("client_vsn", "eid", "rno")))
    return (part for part in (*first, *parts) if part not in _NOTHING)


def _article(article: Arguments) -> tuple[Any, Any]:
    return article.values.get("artno"), article.values.get("qty")


def _good(line: Arguments) -> tuple[Any, Any]:
    goods = line.struct("goods")
    return goods.text("artno") or goods.text("title"), line.values.get("qty")


def _decoded(digest: Any) -> bytes:
    try:
        return base64.b64decode(digest, validate=True) if isinstance(digest, str) else b""
    except (binascii.Error, ValueError):
        return b""
