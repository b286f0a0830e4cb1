"""What mutmut wrote about each mutant, and what the kept list says of those that survive."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

UNDETECTED = {0: "survived", 5: "no test", 33: "no test", None: "not run", 34: "skipped", 35: "not sure"}
"""mutmut's exit codes of a mutant that no test told apart; any other is a failed test, a broken import, a time-out."""

_ENTRY = re.compile(r"- `([\w.]+)`: `(.+)` → `(.*)`\. (.+)")
_NUMBER = re.compile(r"__mutmut_(?:orig|\d+)\b")
_WORDS = re.compile(r"""raise \w+\((["'])(?:(?!\1).)* (?:(?!\1).)*\1""")


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
    def is_wording(self) -> bool:
        """Whether only the letters of an error's message differ: what is promised is the class, the field, the facts."""
        same = self.after.replace("XX", "").lower() == self.before.lower()
        found, changed = _WORDS.match(self.before), _WORDS.match(self.after)
        return bool(same and found and changed) and self.before[found.end() :] == self.after[changed.end() :]


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
    """The kept list: what was changed where, and why nothing can tell it apart."""
    return {(m[1], m[2], m[3]): m[4] for line in text.splitlines() if (m := _ENTRY.fullmatch(line))}


def entry(mutant: Mutant, why: str) -> str:
    return f"- `{mutant.place}`: `{mutant.before}` → `{mutant.after}`. {why}"


def _functions(source: str) -> Iterator[tuple[str, list[str]]]:
    """Every function and method with its lines, each stripped, its name without the mutant's number."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            own = [_NUMBER.sub("", line).strip() for line in lines[node.lineno - 1 : node.end_lineno]]
            yield node.name, own


def _difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The lines that differ, on one line each."""
    changes = [c for c in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if c[0] != "equal"]
    return (
        " ".join(" ".join(before[start:end]) for _, start, end, _, _ in changes),
        " ".join(" ".join(after[start:end]) for _, _, _, start, end in changes),
    )
