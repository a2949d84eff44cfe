"""The map of the library's faults is whole, and every test that it names exists."""

from __future__ import annotations

import ast
import functools
import re

import pytest

from tests.acceptance import library_map
from tests.acceptance.library_map import FAULTS, Fault
from tests.acceptance.running import TREE

ONE_BY_ONE = pytest.mark.parametrize(
    "fault", FAULTS.values(), ids=[f"{number:02}" for number in FAULTS]
)


@functools.cache
def _tests_in(path: str) -> frozenset[str]:
    """The names of the tests in a file, behind their class where they have one."""
    found = set()
    for node in ast.parse((TREE / path).read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            for one in node.body:
                if isinstance(one, ast.FunctionDef):
                    found.add(f"{node.name}::{one.name}")
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def _numbers(name: str) -> list[int]:
    """The faults that a test of the library's bears in its name: test_05_06_what -> 5, 6."""
    found = re.match(r"test((?:_\d\d)+)_", name)
    return [int(number) for number in found[1].split("_")[1:]] if found else []


def test_every_fault_is_in_it() -> None:
    assert list(FAULTS) == list(range(1, 46))


@ONE_BY_ONE
def test_a_fault_has_tests_or_a_reason(fault: Fault) -> None:
    assert bool(fault.held) != bool(fault.of_no_concern)


@ONE_BY_ONE
def test_the_tests_of_a_fault_exist(fault: Fault) -> None:
    for test in (*fault.held, *fault.shown):
        path, _, name = test.partition("::")
        assert name in _tests_in(path), f"{test} is gone"


def test_the_numbers_in_the_names_are_those_of_the_map() -> None:
    borne = {
        (number, f"{path.relative_to(TREE)}::{name}")
        for path in (TREE / "tests" / "acceptance").glob("test_library_*.py")
        for name in _tests_in(str(path.relative_to(TREE)))
        for number in _numbers(name)
    }
    mapped = {
        (number, test)
        for number, fault in FAULTS.items()
        for test in (*fault.held, *fault.shown)
        if "/test_library_" in test
    }
    assert borne == mapped


def test_its_summary() -> None:
    assert library_map.summary() == ("faults of the library covered: 43 of 45 (2 not of concern)")
