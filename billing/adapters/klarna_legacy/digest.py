"""The digests that prove who calls: over chosen values in order management, over the whole body of a recurring order.

Order management hashes ISO-8859-1, recurring orders hash UTF-8 (legacy wire facts, sections 2 and 6). A digest can be
replayed by whoever reads it, so none is logged.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from billing.domain.errors import Invalid

Part = str | int

PROTOCOL_VERSION = "4.1"

_INFO_PARTS = ("bclass", "cust_no", "flags", "ocr", "orderid1", "orderid2", "reference", "reference_code")
_ADDRESS_PARTS = ("careof", "street", "zip", "city", "country", "fname", "lname")


def order_management_digest(parts: Iterable[Part], secret: str) -> str:
    """The digest of an XML-RPC call: SHA-512 of the parts and the secret, joined with colons, in Base64.

    Raises `Invalid` for a part outside ISO-8859-1.
    """
    preimage = ":".join([*map(str, parts), secret])
    # Encoding would raise an error that carries the text, and the secret with it.
    if any(ord(character) > 0xFF for character in preimage):
        raise Invalid("digest parts must stay inside ISO-8859-1", where="digest")
    return base64.b64encode(hashlib.sha512(preimage.encode("iso-8859-1")).digest()).decode()


def checkout_authorization(body: bytes, secret: str) -> str:
    """The `Authorization` header of a recurring order's call, over exactly the bytes sent (none for a reading call)."""
    return "Klarna " + base64.b64encode(hashlib.sha256(body + secret.encode()).digest()).decode()


def activate_parts(client_version: str, eid: int, rno: str, info: Mapping[str, Any]) -> list[Part]:
    """What an `activate` digests. Empty values are left out with their colon, zero stays."""
    shipment = info.get("shipment_info") or {}
    named = [*(info.get(name) for name in _INFO_PARTS), shipment.get("delay_adjust")]
    return _present([*_head(client_version, eid, rno), *named, *article_parts(info.get("artnos") or ())])


def update_parts(client_version: str, eid: int, rno: str, info: Mapping[str, Any]) -> list[Part]:
    """What an `update` digests: both addresses, the goods (their title where they have no number), the order ids."""
    addresses = [address for address in (info["dlv_addr"], info["bill_addr"]) if address]
    living = [address.get(name) for address in addresses for name in _ADDRESS_PARTS]
    goods = [(entry["goods"]["artno"] or entry["goods"]["title"], entry["qty"]) for entry in info["goods_list"] or ()]
    flat = [part for good in goods for part in good]
    return _present([*_head(client_version, eid, rno), *living, *flat, info["orderid1"], info["orderid2"]])


def article_parts(artnos: Sequence[Any] | str) -> list[Part]:
    """Number and quantity of each article, in their order; nothing for an empty list."""
    return [part for article in artnos if isinstance(article, Mapping) for part in (article["artno"], article["qty"])]


def _head(client_version: str, eid: int, rno: str) -> list[Part]:
    return [*PROTOCOL_VERSION.split("."), client_version, eid, rno]


def _present(parts: Iterable[Part | None]) -> list[Part]:
    return [part for part in parts if part is not None and part != ""]
