"""What the README says of replies, ports and commands is what the program does."""

import re
from pathlib import Path

import pytest

from openspp_ftpd.config.schema import option
from openspp_ftpd.errors import Problem

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def replies() -> dict[str, str]:
    """The README's replies: text -> codes, as in 421/451."""
    rows = re.findall(r"^\| (\d{3}(?:/\d{3})?) (.*?) \| ", README, re.MULTILINE)
    return {text: codes for codes, text in rows}


def codes_of(problem: Problem) -> str:
    """The codes that a scanner can be answered, as the README writes them."""
    if problem in (Problem.WRONG_PASSWORD, Problem.NOT_A_SCANNER_USER):
        return str(problem.login_code)
    codes = (problem.login_code, problem.upload_code)
    return "/".join(str(code) for code in dict.fromkeys(codes) if code)


@pytest.mark.parametrize("problem", Problem, ids=lambda problem: problem.name)
def test_every_reply_is_explained(problem: Problem) -> None:
    assert replies()[problem.text] == codes_of(problem)


def test_the_top_says_what_to_type() -> None:
    top = README[: README.index("\n## ")]
    assert "    make demo " in top
    assert "    make test " in top


def test_the_ports_are_the_defaults() -> None:
    listen, passive = option("ftp", "listen"), option("ftp", "passive_ports")
    assert listen is not None
    assert passive is not None
    assert listen.default.startswith("0.0.0.0:8002")
    assert passive.default == "3000-3005"
    assert "TCP ports 8002 and 3000-3005" in README


def test_options_that_it_names_exist() -> None:
    named = set(re.findall(r"`\[(\w+)\] (\w+)", README))
    assert len(named) >= 6
    assert [pair for pair in named if option(*pair) is None] == []
