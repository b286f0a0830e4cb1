"""The rules of the house that a machine can check: who may know whom, how long things are, what the domain lacks."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [path for folder in ("billing", "api", "config") for path in sorted((ROOT / folder).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOMAIN = sorted((ROOT / "billing" / "domain").rglob("*.py"))

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base"}
OUTSIDE_MODULES = {"random", "secrets", "time", "uuid_utils", "socket", "os", "threading"}
OUTSIDE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "urandom"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def texts_of_the_project() -> Iterator[Path]:
    """Every file that belongs to the project and is read as text."""
    skipped = {".venv", ".git", "var", "node_modules", "__pycache__", "build", "dist"}
    for path in sorted(ROOT.rglob("*")):
        inside = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".gitignore") for part in inside)
        if path.is_file() and not hidden and not skipped & set(inside) and b"\0" not in path.read_bytes()[:1024]:
            yield path


def test_the_import_contracts_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    said = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_no_function_is_longer_than_a_page() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in CODE
        for node in functions(path)
    }
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


def test_no_file_is_longer_than_it_can_be_read() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in CODE + TESTS}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES_MAX} == {}


def test_every_module_says_what_it_is_about() -> None:
    said = {str(path.relative_to(ROOT)): ast.get_docstring(ast.parse(path.read_text())) for path in CODE}
    silent = {name for name, text in said.items() if text is None and not name.endswith("__init__.py")}
    assert silent == set()


def test_no_module_hides_behind_a_name_that_says_nothing() -> None:
    named = [path for path in CODE + TESTS if EMPTY_NAMES & set(path.relative_to(ROOT).with_suffix("").parts)]
    assert named == []


@pytest.mark.parametrize("path", DOMAIN, ids=lambda path: path.stem)
def test_the_domain_has_no_clock_no_randomness_and_no_float(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Constant(value=float()):
                pytest.fail(f"line {node.lineno}: a float")
            case ast.Call(func=ast.Name(id="float")) | ast.BinOp(op=ast.Div()):
                pytest.fail(f"line {node.lineno}: what may become a float")
            case ast.Call(func=ast.Attribute(attr=name)) if name in OUTSIDE_CALLS:
                pytest.fail(f"line {node.lineno}: {name} comes from outside")
            case ast.Import(names=names):
                assert not OUTSIDE_MODULES & {name.name for name in names}, f"line {node.lineno}"
            case ast.ImportFrom(module=module, names=names):
                assert module not in OUTSIDE_MODULES, f"line {node.lineno}"
                assert not OUTSIDE_CALLS & {name.name for name in names}, f"line {node.lineno}"


def test_no_file_names_a_place_to_download_from() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted.org", "--index" + "-url "]
    named = {
        str(path.relative_to(ROOT)): host
        for path in texts_of_the_project()
        for host in hosts
        if host in path.read_text(errors="replace")
    }
    assert named == {}


def test_the_lock_pins_every_package_by_its_hash_and_names_no_host() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert not re.search(r"https?://", lock)
    packages = re.split(r"\n(?=\S)", lock.strip())
    assert len(packages) > 30
    assert [first for first in packages if "==" not in first or "--hash=sha256:" not in first] == []


@pytest.mark.parametrize("package", ["billing.sandbox", "billing.demo"])
def test_what_could_be_given_away_loads_nothing_of_the_service(package: str) -> None:
    script = f"""
import importlib, pkgutil, sys
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, {package!r} + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
ours = [name for name in sys.modules if name.split(".")[0] in ("billing", "api", "config", "migrations")]
print(sorted(name for name in ours if name != "billing" and not (name + ".").startswith({package!r} + ".")))
"""
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
