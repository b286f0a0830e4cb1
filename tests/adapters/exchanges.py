"""Requests and answers that passed the sandbox's REST door, judged by Klarna's own published document.

Every answer is judged, but for those that a scripted fault spoilt on purpose. A request is judged where it was taken:
what the sandbox refuses may be wrong, and a repeated key is answered without a look at its body.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = "klarna-merged.strict.json"
TOLERATED = frozenset({("PATCH", "/status", '{"status": "cancelled"}')})
"""Requests that the document has no word for and that are taken all the same: a large plugin sends lower case (REST
wire facts, section 3)."""

_IDS = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?<=_)[0-9a-f]{32}|(?<=op-)[0-9a-f]{20}")
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?")

Exchange = Mapping[str, Any]


def documents() -> Path:
    """Where the specification lies: beside the project, or where KLARNA_OPENAPI_DIR says."""
    return Path(os.environ.get("KLARNA_OPENAPI_DIR") or ROOT / "../shared/klarna/openapi")


def read_exchanges(directory: Path) -> Iterator[Exchange]:
    """What all sandboxes of one run wrote. The last line of one that was killed may be half of one."""
    for path in sorted(directory.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


class Specification:
    """Klarna's document, and how many exchanges were judged by it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._seen: dict[str, list[str]] = {}
        self._schemas: dict[str, Validator] = {}
        self.judged: Counter[str] = Counter()

    @classmethod
    def at(cls, folder: Path) -> "Specification":
        return cls(json.loads((folder / DOCUMENT).read_text(encoding="utf-8")))

    def faults(self, exchanges: Iterable[Exchange]) -> list[str]:
        """A sentence for each thing that the document does not allow; each of them once."""
        keys: set[str] = set()
        found = [fault for exchange in exchanges for fault in self._faults_of(exchange, keys)]
        return list(dict.fromkeys(found))

    def _faults_of(self, exchange: Exchange, keys: set[str]) -> Iterator[str]:
        is_repeated = exchange["key"] in keys
        keys.update({exchange["key"]} - {None})
        operation = self._operation(exchange["method"], exchange["path"])
        if operation is None or exchange["fault"] is not None:
            self.judged["left out"] += 1
            return
        name, described = operation
        self.judged["answers"] += 1
        yield from self._of_answer(name, described, exchange)
        if 200 <= exchange["status"] < 300 and not is_repeated and not _is_tolerated(exchange):
            self.judged["requests"] += 1
            yield from self._of_request(name, described, exchange)

    def _of_answer(self, name: str, described: Mapping[str, Any], exchange: Exchange) -> Iterator[str]:
        responses, status = described["responses"], exchange["status"]
        declared = responses.get(str(status), responses.get("default"))
        if declared is None or (status < 300 and str(status) not in responses):
            yield f"{name} answers {status}, which it cannot"
            return
        sent = {header.lower() for header in exchange["headers"]}
        yield from (
            f"{name} {status} lacks {header}" for header in declared.get("headers", {}) if header.lower() not in sent
        )
        schema = declared.get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            is_json = "json" in {key.lower(): value for key, value in exchange["headers"].items()}.get(
                "content-type", ""
            )
            yield from [f"{name} {status} has a JSON body, and should have none"] if is_json else []
        elif exchange["answer"] or status < 300:
            # A refusal without a body is a shield's, and documented as such (REST wire facts, section 6).
            yield from self._against(f"the answer {status} to {name}", schema, exchange["answer"])

    def _of_request(self, name: str, described: Mapping[str, Any], exchange: Exchange) -> Iterator[str]:
        body = described.get("requestBody", {})
        schema = body.get("content", {}).get("application/json", {}).get("schema")
        if schema is not None and (exchange["request"] or body.get("required")):
            yield from self._against(f"a request of {name}", schema, exchange["request"])

    def _against(self, what: str, schema: Mapping[str, Any], content: str) -> list[str]:
        # Ids and instants differ in every exchange and are all of one form.
        form = f"{what} {_TIMES.sub('T', _IDS.sub('I', content))}"
        if form not in self._seen:
            self._seen[form] = [f"{what}: {message}" for message in self._messages(what, schema, content)]
        return self._seen[form]

    def _messages(self, what: str, schema: Mapping[str, Any], content: str) -> list[str]:
        try:
            value = json.loads(content)
        except ValueError:
            return ["is no JSON"]
        if what not in self._schemas:
            whole = {"allOf": [schema], "components": self._document["components"]}
            self._schemas[what] = Draft202012Validator(whole, format_checker=FormatChecker())
        return [f"{error.json_path} {error.message[:160]}" for error in self._schemas[what].iter_errors(value)]

    def _operation(self, method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
        for pattern, name, methods in self._paths:
            if method.lower() in methods and pattern.fullmatch(path):
                return f"{method} {name}", methods[method.lower()]
        return None

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str, Mapping[str, Any]]]:
        paths = self._document["paths"].items()
        return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", name)), name, methods) for name, methods in paths]


def _is_tolerated(exchange: Exchange) -> bool:
    spaced = (exchange["request"] or "").replace('":"', '": "')
    return any(
        exchange["method"] == method and exchange["path"].endswith(end) and spaced == body
        for method, end, body in TOLERATED
    )
