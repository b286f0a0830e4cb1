"""The sandbox as a process: its clock, its memory, how it starts and how it ends."""

import re
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

ROOT = Path(__file__).resolve().parents[2]


def now_of(sandbox):
    return sandbox.client.get("/_sandbox/clock").json()["now"]


def test_the_clock_is_the_real_one_until_it_is_moved(sandbox):
    before = datetime.now(UTC)
    shown = datetime.fromisoformat(now_of(sandbox))
    assert before - timedelta(seconds=1) < shown < datetime.now(UTC) + timedelta(seconds=1)
    sandbox.advance(days=1)
    assert datetime.fromisoformat(now_of(sandbox)) >= before + timedelta(days=1)


def test_a_frozen_clock_stands_and_moves_only_when_told(sandbox):
    sandbox.freeze("2028-02-29T23:30:00+01:00")
    assert now_of(sandbox) == "2028-02-29T22:30:00.000Z"
    sandbox.advance(minutes=31)
    assert now_of(sandbox) == "2028-02-29T23:01:00.000Z"


WRONG_CLOCKS = [
    {"set": "2028-02-29T12:00:00"},
    {"set": "tomorrow"},
    {"set": 5},
    {"set": "9999-12-31T23:59:59Z"},
    {"set": "0001-01-01T00:00:00+14:00"},
    {"advance_seconds": "5"},
    {"advance_seconds": True},
    {"advance_seconds": 10**15},
    {},
]


@pytest.mark.parametrize("wish", WRONG_CLOCKS)
def test_a_clock_that_cannot_be_set_so_says_why_and_stands(sandbox, wish):
    sandbox.freeze("2028-01-01T00:00:00Z")
    answer = sandbox.client.post("/_sandbox/clock", json=wish)
    assert answer.status_code == 422
    assert answer.json()["error_messages"][0].endswith(".")
    assert now_of(sandbox) == "2028-01-01T00:00:00.000Z"


def test_orders_keys_clock_and_script_survive_a_kill(start_sandbox):
    first, key = start_sandbox(), str(uuid4())
    first.freeze("2028-01-01T00:00:00Z")
    order = first.charge(key=key)
    first.script({"fault": "503_before"})
    first.freeze("2028-01-02T00:00:00Z")
    first.kill()
    second = start_sandbox()
    assert now_of(second) == "2028-01-02T00:00:00.000Z"
    assert second.read(order.json()["order_id"]).status_code == 503
    assert second.read(order.json()["order_id"]).json()["status"] == "AUTHORIZED"
    second.advance(seconds=-1)
    token = second.rows("SELECT token_id FROM tokens")[0]["token_id"]
    assert second.charge(token, key=key).content == order.content


def test_an_offset_on_the_real_clock_survives_a_restart(start_sandbox):
    first = start_sandbox()
    first.advance(days=100)
    first.stop()
    shown = datetime.fromisoformat(now_of(start_sandbox()))
    assert shown > datetime.now(UTC) + timedelta(days=99)


def test_it_says_one_line_and_never_a_token(start_sandbox):
    process = start_sandbox()
    token = process.token()
    process.charge(token)
    process.charge(token, order_amount="nonsense")
    with socket.create_connection(("127.0.0.1", int(process.url.rsplit(":", 1)[1]))) as crooked:
        crooked.sendall(f"POST /customer-token/v1/tokens/{token} \x01 HTTP/9\r\n\r\n".encode())
        crooked.recv(100)
    code, said, complained = process.stop()
    assert re.fullmatch(r"sandbox ready on http://127\.0\.0\.1:\d+\n", process.first_line)
    assert (code, said, complained) == (0, "", "")


def test_it_ends_when_its_parents_pipe_ends(start_sandbox):
    process = start_sandbox()
    process.process.stdin.close()
    process.client.close()
    assert process.process.wait(timeout=10) == 0
    process.process.stdout.close()
    process.process.stderr.close()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "billing.sandbox", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)


def assert_one_sentence(ended, about):
    assert (ended.returncode, ended.stdout) == (3, "")
    assert about in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_port_in_use_is_one_sentence_and_exit_code_3(sandbox, tmp_path):
    port = sandbox.url.rsplit(":", 1)[1]
    assert_one_sentence(run("--port", port, "--data", str(tmp_path)), f"port {port}")


def test_a_directory_that_is_a_file_is_one_sentence_and_exit_code_3(tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_sentence(run("--port", "0", "--data", str(tmp_path / "file")), "data directory")


def test_a_file_that_is_no_database_is_one_sentence_and_exit_code_3(tmp_path):
    (tmp_path / "sandbox.sqlite3").write_text("these are no books, but a text of some length" * 50)
    assert_one_sentence(run("--port", "0", "--data", str(tmp_path)), "data directory")


def test_two_sandboxes_never_share_a_directory(sandbox):
    assert_one_sentence(run("--port", "0", "--data", str(sandbox.data_dir)), "another sandbox")


def test_a_silent_call_does_not_keep_it_from_ending(start_sandbox):
    process = start_sandbox()
    process.script({"fault": "silence_before"})
    with socket.create_connection(("127.0.0.1", int(process.url.rsplit(":", 1)[1]))) as waiting:
        head = "GET /ordermanagement/v1/orders/x HTTP/1.1\r\nHost: sandbox\r\n"
        waiting.sendall(f"{head}Authorization: Basic c2FuZGJveDpzYW5kYm94\r\n\r\n".encode())
        assert process.client.get("/_sandbox/clock").status_code == 200
        code, _, complained = process.stop()
    assert (code, complained) == (0, "")
