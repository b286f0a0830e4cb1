"""Requests and answers as a page shows them: what the adapters really send and the sandbox really answers, with what
differs from run to run (ids, digests, ports) under a name.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from billing.adapters.network import HttpAnswer, HttpOutcome, HttpRequest, Network

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OF_THE_TRANSPORT = ("date", "server", "content-length", "connection", "keep-alive")
_DIFFERENT = (
    ("DIGEST", r"[A-Za-z0-9+/]{86}=="),
    ("DIGEST", r"(?<=Klarna )[A-Za-z0-9+/]{43}="),
    ("CORRELATION-ID", rf"(?<=Klarna-Correlation-Id: ){_UUID}"),
    ("CORRELATION-ID", rf'(?<="correlation_id": "){_UUID}'),
    ("KEY", rf"(?<=Klarna-Idempotency-Key: ){_UUID}"),
    ("REFERENCE", r'(?<="klarna_reference": ")[^"]+'),
    ("REFERENCE", r'(?<="payment_method_reference": ")[^"]+'),
    ("TOKEN", rf"(?<=/tokens/){_UUID}"),
    ("CLIENT-TOKEN", r'(?<="client_token": ")[^"]+'),
)


@dataclass
class Recorder:
    """A network that keeps what goes through it."""

    network: Network
    heard: list[tuple[HttpRequest, HttpAnswer]] = field(default_factory=list)

    def exchange(self, requests: Sequence[HttpRequest]) -> Iterator[tuple[int, HttpOutcome]]:
        for index, came in self.network.exchange(requests):
            assert isinstance(came, HttpAnswer), came
            self.heard.append((requests[index], came))
            yield index, came


def shown(request: HttpRequest, answer: HttpAnswer) -> str:
    """Both as one block of text."""
    address = urlsplit(request.url)
    asked = [f"{request.method} {address.path}", *_headers(request.headers), *_body(request.body)]
    came = [str(answer.status), *_headers(answer.headers), *_body(answer.body)]
    text = "\n".join(["```http", *asked, "```", "", "```http", *came, "```"])
    return text.replace(address.netloc, "HOST")


def steady(text: str, names: Mapping[str, str]) -> str:
    """`text` as every run writes it; `names` are the ids of this run and what the page calls them."""
    for id_, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(rf"(?<![\w-]){re.escape(id_)}(?![\w-])", name, text)
    for name, pattern in _DIFFERENT:
        text = re.sub(pattern, name, text)
    return text


def _headers(headers: Mapping[str, str]) -> list[str]:
    kept = ((name.title(), value) for name, value in headers.items() if name.lower() not in _OF_THE_TRANSPORT)
    return [f"{name}: {value}" for name, value in sorted(kept)]


def _body(body: bytes) -> list[str]:
    if not body:
        return []
    if body.startswith(b"<?xml"):
        return ["", body.decode("iso-8859-1").rstrip()]
    try:
        return ["", json.dumps(json.loads(body), indent=2, ensure_ascii=False)]
    except ValueError:
        return ["", body.decode()]
