"""Odoo's search domains over plain records (pure).

A domain is a list of leaves (field, operator, value), joined by "&" unless "|" or "!" stand before
them, in Polish notation. Only what WIRE17.md records is here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

Record = Mapping[str, Any]
"""A record by field; a relation holds the other record's id, and False stands for none."""

LOGIC: Final = {"&": 2, "|": 2, "!": 1}


class WrongLeaf(Exception):
    """A leaf cannot be searched by; leaf: as Odoo shows it."""

    def __init__(self, leaf: Sequence[object]) -> None:
        super().__init__(repr(tuple(leaf)))
        self.leaf = tuple(leaf)


def search(
    records: Sequence[Record],
    domain: Sequence[object],
    knows: Callable[[str], bool],
    value_of: Callable[[Record, str], object],
    ancestors_of: Callable[[Record], Sequence[int]],
) -> list[Record]:
    """Return the records that a domain holds for, in their order.

    knows: whether there is a field of this path ("parent_id.name"); value_of: a record's value of
    one; ancestors_of: the ids of a record and of those above it. Raises WrongLeaf.
    """
    for leaf in domain:
        if isinstance(leaf, list) and leaf and not knows(str(leaf[0])):
            raise WrongLeaf(leaf)
    test = _compiled(domain, value_of, ancestors_of)
    return [record for record in records if test(record)]


def _compiled(
    domain: Sequence[object],
    value_of: Callable[[Record, str], object],
    ancestors_of: Callable[[Record], Sequence[int]],
) -> Callable[[Record], bool]:
    tests: list[Callable[[Record], bool]] = []
    for element in reversed(domain):
        if isinstance(element, str) and element in LOGIC:
            operands = [tests.pop() for _ in range(LOGIC[element]) if tests]
            if len(operands) < LOGIC[element]:
                raise WrongLeaf([element])
            tests.append(_joined(element, operands))
        elif isinstance(element, list) and len(element) == 3 and isinstance(element[0], str):
            tests.append(_leaf(element, value_of, ancestors_of))
        else:
            raise WrongLeaf(element if isinstance(element, list) else [element])
    return lambda record: all(test(record) for test in tests)


def _joined(operator: str, operands: list[Callable[[Record], bool]]) -> Callable[[Record], bool]:
    if operator == "!":
        return lambda record: not operands[0](record)
    holds = any if operator == "|" else all
    return lambda record: holds(operand(record) for operand in operands)


def _leaf(
    leaf: Sequence[Any],
    value_of: Callable[[Record, str], object],
    ancestors_of: Callable[[Record], Sequence[int]],
) -> Callable[[Record], bool]:
    field, operator, wanted = leaf
    if operator == "child_of":
        roots = wanted if isinstance(wanted, list) else [wanted]
        return lambda record: any(root in ancestors_of(record) for root in roots)
    compare = _COMPARISONS.get(operator)
    if compare is None:
        raise WrongLeaf(leaf)
    return lambda record: compare(value_of(record, field), wanted)


def _equal(value: object, wanted: object) -> bool:
    if wanted is False or wanted is None:
        return value is False
    return value is not False and value == wanted


def _among(value: object, wanted: object) -> bool:
    return isinstance(wanted, list) and any(_equal(value, one) for one in wanted)


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[object, object], bool]:
    def compare(value: object, wanted: object) -> bool:
        numbers = isinstance(value, int | float) and isinstance(wanted, int | float)
        texts = isinstance(value, str) and isinstance(wanted, str)
        return value is not False and (numbers or texts) and holds(value, wanted)

    return compare


def _like(around: str, flags: re.RegexFlag) -> Callable[[object, object], bool]:
    """Return SQL's LIKE: % is any text, _ any character."""

    def compare(value: object, wanted: object) -> bool:
        pattern = "".join(
            {"%": ".*", "_": "."}.get(letter) or re.escape(letter)
            for letter in f"{around}{wanted}{around}"
        )
        return isinstance(value, str) and bool(re.fullmatch(pattern, value, flags | re.DOTALL))

    return compare


_PLAIN: Final = re.RegexFlag(0)
_COMPARISONS: Final[Mapping[str, Callable[[object, object], bool]]] = {
    "=": _equal,
    "!=": lambda value, wanted: not _equal(value, wanted),
    "in": _among,
    "not in": lambda value, wanted: not _among(value, wanted),
    "<": _ordered(lambda value, wanted: value < wanted),
    "<=": _ordered(lambda value, wanted: value <= wanted),
    ">": _ordered(lambda value, wanted: value > wanted),
    ">=": _ordered(lambda value, wanted: value >= wanted),
    "like": _like("%", _PLAIN),
    "ilike": _like("%", re.IGNORECASE),
    "=like": _like("", _PLAIN),
    "=ilike": _like("", re.IGNORECASE),
}
