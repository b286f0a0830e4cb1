"""However much a hostile server sends, a call holds no more than 50 MB of it; measured as the peak of a process."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from billing.domain.operations import OperationKind
from tests.adapters.hostile import (
    BOMB,
    CAPTURE,
    GUARD_SECONDS,
    JSON_BODIES,
    PURCHASE,
    SPEAKERS,
    WIRES,
    XML_BODIES,
    plain,
)
from tests.fakes.socket_server import Peer, Script, SocketServer

ROOT = Path(__file__).resolve().parents[2]
GROWTH_MAX = 50_000
"""Kilobytes."""


def measured(generation: str, kind: OperationKind, hostile: Script) -> tuple[str, int]:
    """Outcome and growth of a second call; the first one is answered rightly."""
    right, turns = SPEAKERS[generation].right(kind).whole, itertools.count()

    def script(peer: Peer) -> None:
        if next(turns):
            hostile(peer)
        elif peer.request():
            peer.send(right)

    with SocketServer(script) as server:
        command = [sys.executable, "-m", "tests.adapters.hostile_client", generation, kind.value, server.url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GUARD_SECONDS, check=True)
    said = json.loads(done.stdout)
    return said["outcome"], said["grown"]


@pytest.mark.parametrize("name", [name for name in WIRES if "at a time" not in name and name != "silence"])
@pytest.mark.parametrize("generation", SPEAKERS)
def test_an_answer_without_end_takes_little_memory(generation: str, name: str) -> None:
    outcome, grown = measured(generation, PURCHASE, WIRES[name](SPEAKERS[generation].right(PURCHASE)))
    assert outcome == "Unknown"
    assert grown <= GROWTH_MAX


@pytest.mark.parametrize("name", ["a deep list", "a deep object", "a number of a million digits"])
@pytest.mark.parametrize("generation", SPEAKERS)
def test_json_that_is_dear_to_read_takes_little_memory(generation: str, name: str) -> None:
    right = SPEAKERS[generation].right(PURCHASE)
    outcome, grown = measured(generation, PURCHASE, plain(right.with_body(JSON_BODIES[name](right.body))))
    assert outcome == "Unknown"
    assert grown <= GROWTH_MAX


@pytest.mark.parametrize("name", ["an entity bomb", "deep arrays", "deep elements"])
def test_xml_that_is_dear_to_read_takes_little_memory(name: str) -> None:
    right = SPEAKERS["legacy"].right(CAPTURE)
    outcome, grown = measured("legacy", CAPTURE, plain(right.with_body(XML_BODIES[name](right.body))))
    assert outcome == "Unknown"
    assert grown <= GROWTH_MAX


def test_the_bomb_would_be_one_if_it_were_let_in() -> None:
    assert BOMB.count(b"<!ENTITY") == 10
    assert len(BOMB) < 1000
