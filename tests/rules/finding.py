"""Finds the tests that a table of rules names."""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent.parent


def within(path: str, test: str) -> str:
    """The name of a test in a file, where both do not fit one line."""
    return f"{path}{test}"


def check_named_tests(names: Iterable[str]) -> None:
    """Fail for a name that no test has."""
    for name in names:
        path, _, function = name.partition("::")
        assert function in _functions(path), f"{name} does not exist"


@cache
def _functions(path: str) -> frozenset[str]:
    tree = ast.parse((TESTS / path).read_text())
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
