"""At the end of a run, all that passed a sandbox's REST door in it is judged by Klarna's own document.

The sandboxes of all test processes write into one directory, whoever started them; the process that leads the run
judges. A fault makes the run fail. Where the document is absent it says so, which BILLING_TEST_REQUIRE=all refuses.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.adapters.exchanges import DOCUMENT, Specification, documents, read_exchanges

DIRECTORY_VARIABLE = "KLARNA_SANDBOX_RECORD_DIR"
SHOWN_MAX = 30

DIRECTORY = pytest.StashKey[Path]()
VERDICT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.stash[DIRECTORY] = Path(tempfile.mkdtemp(prefix="perennial-exchanges-"))
        os.environ[DIRECTORY_VARIABLE] = str(config.stash[DIRECTORY])


def pytest_unconfigure(config: pytest.Config) -> None:
    if DIRECTORY in config.stash:
        shutil.rmtree(config.stash[DIRECTORY], ignore_errors=True)
        os.environ.pop(DIRECTORY_VARIABLE, None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if DIRECTORY not in session.config.stash:
        return
    is_good, said = verdict(session.config.stash[DIRECTORY], documents(), os.environ.get("BILLING_TEST_REQUIRE", ""))
    session.config.stash[VERDICT] = said
    if not is_good and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in terminalreporter.config.stash.get(VERDICT, []):
        terminalreporter.write_line(line)


def verdict(directory: Path, folder: Path, required: str) -> tuple[bool, list[str]]:
    """Whether the run may pass, and what to say about it."""
    if not any(path.stat().st_size for path in directory.glob("*.jsonl")):
        return True, []
    if not (folder / DOCUMENT).is_file():
        reason = f"exchanges with the sandbox were not judged: {DOCUMENT} is not in {folder}; set KLARNA_OPENAPI_DIR"
        return not ("all" in required or "openapi" in required), [reason]
    specification = Specification.at(folder)
    faults = specification.faults(read_exchanges(directory))
    judged = ", ".join(f"{count} {what}" for what, count in sorted(specification.judged.items()))
    said = [f"exchanges with the sandbox by Klarna's document: {judged}; {len(faults)} faults"]
    return not faults, said + faults[:SHOWN_MAX]
