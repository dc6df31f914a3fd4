"""Where the values of an event are."""

from collections.abc import Iterator
from typing import Any


def paths_of(node: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The path to each value that is no object or array; elements of an array have the path of the array."""
    if isinstance(node, dict):
        for name, below in node.items():
            yield from paths_of(below, (*path, name))
    elif isinstance(node, list):
        for element in node:
            yield from paths_of(element, path)
    else:
        yield path
