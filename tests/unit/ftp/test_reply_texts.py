"""Every reply that a person may read is short, plain, says what to do, and is in the README.

The replies are read out of the source, so that none is forgotten.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from openspp_ftpd.errors import DISPLAY_WIDTH, Problem
from openspp_ftpd.ftp.commands import COMMANDS
from openspp_ftpd.ftp.control import ControlConnection

TREE: Final = Path(__file__).resolve().parents[3]
README: Final = (TREE / "README.md").read_text(encoding="utf-8")
SOURCES: Final = [
    *sorted((TREE / "openspp_ftpd" / "ftp").glob("*.py")),
    TREE / "openspp_ftpd" / "limits.py",
    *sorted((TREE / "openspp_ftpd" / "supervisor").glob("*.py")),
]

PART: Final = "\0"
"""Where a text has something that is known only when it is sent: a name, a port, a number."""


@dataclass(frozen=True)
class Said:
    """One reply in the source."""

    code: int
    text: str
    where: str

    def fits(self, line: str) -> bool:
        """Whether it can be this code and text."""
        pattern = ".+".join(re.escape(part) for part in self.text.split(PART))
        return re.fullmatch(rf"{self.code} {pattern}", line) is not None


def texts_of(node: ast.expr, names: dict[str, list[ast.expr]]) -> Iterator[str]:
    """The texts that an expression may have; none where it passes on another's reply."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(p.value) if isinstance(p, ast.Constant) else PART for p in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts_of(node.body, names)
        yield from texts_of(node.orelse, names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "displayable":
        yield from texts_of(node.args[0], names)
    elif isinstance(node, ast.Name):
        for value in names.get(node.id, []):
            yield from texts_of(value, names)


def codes_of(node: ast.expr) -> Iterator[int]:
    """The codes that an expression may have; none where it passes on another's reply."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield node.value
    elif found := re.fullmatch(r"Problem\.(\w+)\.upload_code", ast.unparse(node)):
        yield Problem[found[1]].upload_code


def assigned_in(node: ast.AST) -> dict[str, list[ast.expr]]:
    """What is assigned to each name in a function, or to a constant of a module."""
    names: dict[str, list[ast.expr]] = {}
    for each in ast.iter_child_nodes(node) if isinstance(node, ast.Module) else ast.walk(node):
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name):
            names.setdefault(each.targets[0].id, []).append(each.value)
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value:
            names.setdefault(each.target.id, []).append(each.value)
    return names


def replies_in(path: Path) -> Iterator[Said]:
    """The replies that one module sends, apart from those of `Problem`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = assigned_in(tree)
    calls: dict[ast.Call, dict[str, list[ast.expr]]] = {}
    for place in (tree, *(each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))):
        names = constants | assigned_in(place)
        calls |= {each: names for each in ast.walk(place) if isinstance(each, ast.Call)}
    for node, names in calls.items():
        called = ast.unparse(node.func).rpartition(".")[2]
        if called in ("Reply", "reply", "_say_goodbye") and len(node.args) == 2:
            for code in codes_of(node.args[0]):
                for text in texts_of(node.args[1], names):
                    yield Said(code, text, f"{path.name}:{node.lineno}")
        elif called == "_not_kept":
            for text in texts_of(node.args[0], names):
                yield Said(250, text, f"{path.name}:{node.lineno}")


def replies_of_the_library() -> Iterator[Said]:
    """What pyftpdlib answers to the commands that are left to it."""
    for verb in COMMANDS:
        method = getattr(ControlConnection, f"ftp_{verb}")
        if method.__module__.startswith("pyftpdlib"):
            for code, text in re.findall(r'"([45]\d\d) ([^"{]+)"', inspect.getsource(method)):
                yield Said(int(code), text, verb)


def replies_of_problems() -> Iterator[Said]:
    """The replies of `Problem`, to a login and to an upload."""
    for problem in Problem:
        for code in {problem.login_code, problem.upload_code} - {0}:
            yield Said(code, problem.text, problem.name)


OURS: Final = [
    *(said for path in SOURCES for said in replies_in(path)),
    *replies_of_problems(),
]
ALL: Final = [*OURS, *replies_of_the_library()]
FOR_PERSONS: Final = [
    said
    for said in ALL
    if said.code >= 400 or said.text.startswith(("Not kept: ", "Transfer complete. "))
]
"""A scanner shows what failed; and what was done with a scan is always told in words."""

DOES: Final = re.compile(
    r"(?:^|[.] )(?:Try|Send|Tell|Choose|Scan|Check|Set|Switch|Use|Please send) "
)
"""A sentence that says what to do."""

SAYS_WHAT_IS_WRONG: Final = {
    Problem.WRONG_PASSWORD: "which two fields to correct",
    Problem.EMPTY: "a device that tries out a name, and nobody waits for it",
}
"""Problems whose text needs no advice, and what it says instead."""

JARGON: Final = frozenset(
    [
        *("exception", "traceback", "socket", "errno", "json", "spool", "ledger", "worker"),
        *("daemon", "mailbox", "handshake", "api", "timeout", "null", "invalid", "illegal"),
        *("fatal", "abort", "backend", "payload", "unexpected", "retry", "thread", "tmpfs"),
    ]
)
"""Words that a clerk need not understand."""


def named(said: Said) -> str:
    """The name of a row of the tests."""
    return f"{said.where}-{said.code}"


def rows() -> list[str]:
    """The first cells of the README's tables of replies."""
    return re.findall(r"^\| (\d{3}(?:/\d{3})? [^|]+) \| ", README, re.MULTILINE)


def lines() -> list[str]:
    """The same, one for each code."""
    cells = (row.partition(" ") for row in rows())
    return [f"{code} {text}" for codes, _, text in cells for code in codes.split("/")]


def test_the_source_was_understood() -> None:
    assert len(ALL) > 100
    assert {said.where.partition(":")[0] for said in ALL} >= {
        *("commands.py", "control.py", "transfers.py", "upload.py", "listing.py", "limits.py"),
        *("authorizer.py", "gate.py", "PORT", "EPSV"),
    }


def test_no_other_module_answers_scanners() -> None:
    making = re.compile(r"\bReply\(\s*(?:\d|Problem)|\.reply\(\s*\d")
    package = TREE / "openspp_ftpd"
    found = [path for path in package.rglob("*.py") if making.search(path.read_text("utf-8"))]
    assert len(found) > 5
    assert set(found) <= set(SOURCES)


@pytest.mark.parametrize("said", ALL, ids=named)
def test_it_is_one_short_line_of_ascii(said: Said) -> None:
    text = said.text.replace(PART, "999")
    assert text.isascii()
    assert text.isprintable()
    assert len(text) <= DISPLAY_WIDTH


@pytest.mark.parametrize("said", [said for said in FOR_PERSONS if said in OURS], ids=named)
def test_it_has_no_word_of_programmers(said: Said) -> None:
    words = set(re.findall(r"[a-z]+", said.text.lower()))
    assert words & JARGON == set()
    assert said.text[0].isupper() or said.text[0] == PART


@pytest.mark.parametrize("problem", Problem, ids=lambda problem: problem.name)
def test_it_says_what_to_do_first(problem: Problem) -> None:
    if problem in SAYS_WHAT_IS_WRONG:
        assert not DOES.search(problem.text), "it is no exception any more"
    else:
        assert DOES.search(problem.text)


@pytest.mark.parametrize("problem", Problem, ids=lambda problem: problem.name)
def test_nobody_is_told_to_send_again_what_will_fail_again(problem: Problem) -> None:
    advice = re.search(r"(?:Try|Send it|send it) ?(?:again|later)", problem.text)
    if advice:
        assert problem.upload_code < 500


@pytest.mark.parametrize("said", FOR_PERSONS, ids=named)
def test_the_readme_explains_it(said: Said) -> None:
    assert any(said.fits(line) for line in lines()), f"{said.code} {said.text}"


def test_the_readme_has_no_reply_that_is_never_sent() -> None:
    assert [line for line in lines() if not any(said.fits(line) for said in ALL)] == []
    assert len(set(rows())) == len(rows())
