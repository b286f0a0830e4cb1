"""Keeps what passed the REST door, where it is asked for: one line of JSON for each request and its answer.

For those who compare this Klarna with the documents of the real one; off unless the environment names a directory.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from billing.sandbox.wire import Answer, Call

DIRECTORY_VARIABLE = "KLARNA_SANDBOX_RECORD_DIR"


class Recorder:
    """Writes one file for each process; nothing at all without a directory. Tokens stand in it as they came."""

    def __init__(self, directory: Path | None) -> None:
        self._file = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            self._file = (directory / f"{os.getpid()}.jsonl").open("a", encoding="utf-8", buffering=1)

    @classmethod
    def of_environment(cls) -> "Recorder":
        named = os.environ.get(DIRECTORY_VARIABLE)
        return cls(Path(named) if named else None)

    def keep(self, method: str, path: str, call: Call | None, answer: Answer, headers: Mapping[str, str]) -> None:
        """One exchange. `fault` names what spoilt the answer on purpose, or the call before it was executed."""
        if self._file is None:
            return
        fault = answer.fault or (call.scripted if call else None)
        line = {
            "method": method,
            "path": path,
            "key": call.key if call else None,
            "request": call.raw.decode("utf-8", "replace") if call else None,
            "status": answer.status,
            "headers": dict(headers),
            "answer": answer.content.decode("utf-8", "replace"),
            "fault": fault.name if fault else None,
        }
        self._file.write(json.dumps(line) + "\n")
