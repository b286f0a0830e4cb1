"""What mutmut wrote about each mutant, and what the kept list says of those that survive."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

UNDETECTED = {0: "survived", 5: "no test", 33: "no test", None: "not run", 34: "skipped", 35: "not sure"}
"""mutmut's exit codes of a mutant that no test told apart; any other is a failed test, a broken import, a time-out."""

_ENTRY = re.compile(r"- `([\w.]+)`: `(.+)` → `(.*)`\. (.+)")
_NUMBER = re.compile(r"__mutmut_(?:orig|\d+)\b")
_MANGLED = re.compile(r"\bdef x(?:_|ǁ\w+ǁ)")
_SORT = re.compile(r"- every `(\w+)`: (.+)")
_LITERAL = re.compile(r"""(["'])((?:(?!\1).)*)\1""")
_MESSAGE = ("raise ", "assert ", "faults.append(", '"', "'")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in `module.function`, the line(s) as they are and as they were changed to."""

    module: str
    function: str
    before: str
    after: str
    verdict: str

    @property
    def place(self) -> str:
        return f"{self.module}.{self.function}"

    @property
    def key(self) -> tuple[str, str, str]:
        return self.place, self.before, self.after

    @property
    def sort(self) -> str | None:
        """The sort of change that survivors.md explains once for all, or None where it needs a line of its own."""
        if _is_wording(self.before, self.after):
            return "wording"
        loosened = {self.before.replace("strict=True", other) for other in ("strict=None", "strict=False", "")}
        return "strict" if "zip(" in self.before and self.after in loosened else None

    def why(self, reasons: Mapping[tuple[str, str, str], str]) -> str | None:
        """What the kept list says of it."""
        return reasons.get(self.key) or (reasons.get((self.sort, "", "")) if self.sort else None)


def mutants_of(copy: Path, module: str) -> tuple[int, list[Mutant]]:
    """How many mutants the run in the directory `copy` made of a domain module, and those that no test told apart."""
    mutated = copy / "mutants" / "billing" / "domain" / f"{module}.py"
    codes: dict[str, int | None] = json.loads(mutated.with_name(f"{module}.py.meta").read_text())["exit_code_by_key"]
    functions = dict(_functions(mutated.read_text())) if codes else {}
    alive = []
    for name, code in codes.items():
        if code in UNDETECTED:
            mangled = name.rpartition(".")[2]
            original = functions[_NUMBER.sub("__mutmut_orig", mangled)]
            before, after = _difference(original, functions[mangled])
            function = _NUMBER.sub("", mangled).removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
            alive.append(Mutant(module, function, before, after, UNDETECTED[code]))
    return len(codes), alive


def explained(text: str) -> dict[tuple[str, str, str], str]:
    """The kept list: what was changed where, or the sort of change, and why nothing can tell it apart."""
    lines = text.splitlines()
    sorts = {(m[1], "", ""): m[2] for line in lines if (m := _SORT.fullmatch(line))}
    return sorts | {(m[1], m[2], m[3]): m[4] for line in lines if (m := _ENTRY.fullmatch(line))}


def entry(mutant: Mutant, why: str) -> str:
    return f"- `{mutant.place}`: `{mutant.before}` → `{mutant.after}`. {why}"


def _is_wording(before: str, after: str) -> bool:
    """Whether only letters of a message differ: what is promised is an error's class, its field and its facts."""
    old, new = ([m[2] for m in _LITERAL.finditer(line)] for line in (before, after))
    changed = [(was, now) for was, now in zip(old, new, strict=False) if was != now]
    if len(changed) != 1 or len(old) != len(new) or not before.startswith(_MESSAGE):
        return False
    was, now = changed[0]
    return " " in was and now.replace("XX", "").lower() == was.lower() and after == before.replace(was, now)


def _functions(source: str) -> Iterator[tuple[str, list[str]]]:
    """Every function and method with its lines, each stripped, its name without the mutant's number."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            own = lines[node.lineno - 1 : node.end_lineno]
            yield node.name, [_MANGLED.sub("def ", _NUMBER.sub("", line)).strip() for line in own]


def _difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that differ, on one line each."""
    changes = [c for c in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if c[0] != "equal"]
    return (
        " ".join(" ".join(before[start:end]) for _, start, end, _, _ in changes),
        " ".join(" ".join(after[start:end]) for _, _, _, start, end in changes),
    )
