"""The event pattern grammar once more, by brute force, to compare the compiled matcher with.

The whole event is flattened, each value with the list elements it lies in; then every way to pick one value
per field is tried. Slow and short, written from what event-ruler's Event, ArrayMembership and ACFinder do.
"""

import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Elements = Mapping[int, int]
Value = tuple[str, Any, Elements]


def naive_matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    values = list(_flatten(event, (), {}, itertools.count()))
    return any(_pick(sorted(rule.items()), values, {}) for rule in _rules(pattern, (), [{}]))


def _rules(
    wanted: dict[str, Any], above: tuple[str, ...], rules: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    for name, below in wanted.items():
        if name == "$or":
            rules = [rule for branch in below for rule in _rules(branch, above, [dict(r) for r in rules])]
        elif isinstance(below, dict):
            rules = _rules(below, (*above, name), rules)
        else:
            rules = [{**rule, ".".join((*above, name)): below} for rule in rules]
    return rules


def _flatten(node: Any, path: tuple[str, ...], elements: Elements, ids: Iterator[int]) -> Iterator[Value]:
    if isinstance(node, dict):
        for name, below in node.items():
            yield from _flatten(below, (*path, name), elements, ids)
    elif isinstance(node, list):
        this = next(ids)
        for index, element in enumerate(_spread(node)):
            chosen = {**elements, this: index} if isinstance(element, dict) else elements
            yield from _flatten(element, path, chosen, ids)
    else:
        yield ".".join(path), node, elements


def _spread(items: list[Any]) -> Iterator[Any]:
    for item in items:
        yield from _spread(item) if isinstance(item, list) else [item]


def _pick(fields: Sequence[tuple[str, list[Any]]], values: list[Value], chosen: Elements) -> bool:
    if not fields:
        return True
    (path, alternatives), *rest = fields
    here = [(value, elements) for at, value, elements in values if at == path and _agree(elements, chosen)]
    if not here and {"exists": False} in alternatives and _pick(rest, values, chosen):
        return True
    return any(
        _pick(rest, values, {**chosen, **elements})
        for value, elements in here
        if any(_accepts(alternative, value) for alternative in alternatives)
    )


def _agree(one: Elements, other: Elements) -> bool:
    return all(other.get(array, index) == index for array, index in one.items())


def _accepts(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return _same(wanted, value)
    ((name, operand),) = wanted.items()
    match name:
        case "exists":
            return bool(operand)
        case "anything-but":
            return not any(_same(member, value) or _nested(member, value) for member in _members(operand))
        case "numeric":
            return type(value) in (int, float) and all(
                {"<": value < n, "<=": value <= n, "=": value == n, ">=": value >= n, ">": value > n}[op]
                for op, n in zip(operand[::2], operand[1::2], strict=True)
            )
        case _:
            return isinstance(value, str) and _text(name, operand, value)


def _members(operand: Any) -> list[Any]:
    if isinstance(operand, dict):
        ((name, nested),) = operand.items()
        return [{name: text} for text in _members(nested)]
    return operand if isinstance(operand, list) else [operand]


def _nested(member: Any, value: Any) -> bool:
    return isinstance(member, dict) and _accepts(member, value)


def _same(one: Any, other: Any) -> bool:
    numbers = type(one) in (int, float) and type(other) in (int, float)
    return (numbers or type(one) is type(other)) and bool(one == other)


def _text(name: str, operand: Any, value: str) -> bool:
    if isinstance(operand, dict):
        return _text(name, operand["equals-ignore-case"].lower(), value.lower())
    match name:
        case "prefix":
            return bool(value[: len(operand)] == operand)
        case "suffix":
            return bool(value[max(0, len(value) - len(operand)) :] == operand)
        case "equals-ignore-case":
            return bool(value.lower() == operand.lower())
        case "wildcard":
            return bool(re.fullmatch(".*".join(map(re.escape, operand.split("*"))), value, re.DOTALL))
        case "cidr":
            return value.count(".") == 3 and ipaddress.ip_address(value) in ipaddress.ip_network(operand)
    return bool(name == "exactly" and value == operand)
