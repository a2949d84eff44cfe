"""The guards that are taken out to see the fuzzers find it are still there, each once."""

from __future__ import annotations

import ast
import re

import pytest

from tests.fuzz.guards import GUARDS, TREE, Guard

INVARIANTS = 7
"""Of the daemon under random interleavings, clear text behind AUTH among them."""


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
class TestEachGuard:
    def test_stands_in_the_source_once(self, guard: Guard) -> None:
        for place, text, _ in guard.changes:
            assert (TREE / "openspp_ftpd" / place).read_text("utf-8").count(text) == 1

    def test_leaves_a_program_when_it_is_taken_out(self, guard: Guard) -> None:
        for place, text, without in guard.changes:
            source = (TREE / "openspp_ftpd" / place).read_text("utf-8")
            mutant = source.replace(text, without)
            assert ast.dump(ast.parse(mutant)) != ast.dump(ast.parse(source))

    def test_is_looked_for_by_fuzzers_that_exist(self, guard: Guard) -> None:
        assert (TREE / "tests" / "fuzz" / guard.first).is_file()
        assert not re.search(guard.found, "")


def test_each_invariant_has_one() -> None:
    assert len({guard.invariant for guard in GUARDS}) == INVARIANTS
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
