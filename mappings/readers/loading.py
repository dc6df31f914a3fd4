"""How the text of a template, manifest or plan becomes plain data; freer than a mapping file, still bounded.

Nulls, several documents, anchors with aliases, merge keys and the short forms of CloudFormation's functions
are taken, because other tools write them. Whether a key may be given twice, the caller says.
"""

import json
import re
from collections.abc import Hashable
from functools import partial
from typing import Any, cast

import yaml

from mappings.documents import parse_json, yaml_problem
from mappings.errors import InvalidFile, shown

# A template nests deeper than a mapping file (policies, state machines), and stays far below the stack.
MAXIMUM_DEPTH = 100
# What aliases may unfold to: more than any real template has nodes, and little enough to be walked at once.
MAXIMUM_NODES = 200_000
_MERGE = "tag:yaml.org,2002:merge"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")


def load_documents(text: str, repeated: list[str] | None = None) -> list[object]:
    """Return the documents of a YAML or JSON text; raise InvalidFile with one sentence.

    A key that is given twice goes into `repeated`, and its last value counts; without that it is refused.
    """
    try:
        if text.lstrip().startswith(("{", "[")):
            try:
                return [parse_json(text, partial(_json_object, repeated))]
            except json.JSONDecodeError:
                pass  # YAML may begin so, too
        return _load_yaml(text, repeated)
    except RecursionError as error:
        raise InvalidFile(["the file is nested too deeply"]) from error
    except InvalidFile:
        raise
    except ValueError as error:
        raise InvalidFile([f"a value cannot be read: {error}"]) from error


def _json_object(repeated: list[str] | None, pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        problem = f"the key {shown(twice)} is given twice in one object"
        if repeated is None:
            raise InvalidFile([problem])
        repeated.append(problem)
    return found


def _load_yaml(text: str, repeated: list[str] | None) -> list[object]:
    try:
        loader = _Loader(text, repeated)
        try:
            documents: list[object] = []
            while loader.check_node():
                root = loader.get_node()
                assert root is not None, "check_node has seen it"
                _check_unfolded(root)
                documents.append(loader.construct_document(root))
            return documents
        finally:
            loader.dispose()
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        raise yaml_problem(error) from error


def _check_unfolded(root: yaml.Node) -> None:
    """Refuse a document that contains itself, or whose aliases would unfold to too much."""
    sizes: dict[int, int | None] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node), 0)
        if known is None:
            raise _refusal("an alias stands inside of what it names", node)
        if known:
            return known
        sizes[id(node)] = None
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        if isinstance(node, yaml.MappingNode):
            children = [child for pair in node.value for child in pair]
        total = 1 + sum(size(child) for child in children)
        sizes[id(node)] = total
        return total

    total = size(root)
    if total > max(MAXIMUM_NODES, len(sizes)):
        raise _refusal(f"the aliases unfold to {total} values", root)


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str, repeated: list[str] | None) -> None:
        super().__init__(text)
        self._depth = 0
        self._repeated = repeated

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth == MAXIMUM_DEPTH:
            raise _refusal("nested too deeply", self.peek_event())  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        # Here and not in construct_mapping: merging gives a node the keys of others on top of its own.
        node = super().compose_mapping_node(anchor)
        written: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal("a key must be a text", key_node)
            if key_node.value in written and key_node.tag != _MERGE:
                self._repeat(_refusal(f"the key {shown(key_node.value)} is given twice", key_node))
            written.add(key_node.value)
        return node

    def _repeat(self, refusal: yaml.MarkedYAMLError) -> None:
        if self._repeated is None:
            raise refusal
        self._repeated += yaml_problem(refusal).problems

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - SafeLoader's signature
        self.flatten_mapping(node)
        # Account numbers, `on` and dates are keys here, and mean their letters.
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    def construct_integer(self, node: yaml.ScalarNode) -> int | str:
        """Return a plain decimal as a number; 000000000000 is an account and no octal zero."""
        text = self.construct_scalar(node)
        return int(text) if _INTEGER.fullmatch(text) else text

    def construct_function(self, suffix: str, node: yaml.Node) -> dict[str, object]:
        """Return the long form of one of CloudFormation's functions: `!Sub` is `Fn::Sub`."""
        name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
        match node:
            case yaml.ScalarNode():
                return {name: self.construct_scalar(node)}
            case yaml.SequenceNode():
                return {name: self.construct_sequence(node, deep=True)}
            case _:
                return {name: self.construct_mapping(cast("yaml.MappingNode", node), deep=True)}


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_integer)
_Loader.add_multi_constructor("!", _Loader.construct_function)


def _refusal(problem: str, place: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", place.start_mark))
