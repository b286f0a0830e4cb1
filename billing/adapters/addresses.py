"""Which addresses of a provider are taken: https anywhere, plain http on loopback only."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from billing.domain.errors import Invalid


def checked_address(url: str, where: str) -> str:
    """`url` without its last slash. Raises `Invalid` for one that is not safe or has more than host and path.

    The text itself is not repeated: somebody may have put credentials into it.
    """
    if not _is_safe(url):
        sentence = f"{where} of a Klarna account must be https (or http on loopback), with host and path only"
        raise Invalid(sentence, where=where)
    return url.rstrip("/")


def _is_safe(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_plain = not (parts.username or parts.password or parts.query or parts.fragment) and parts.port != 0
    except ValueError:
        return False
    is_private = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    return is_plain and is_private and bool(parts.hostname)


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
