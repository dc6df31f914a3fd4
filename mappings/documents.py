"""How the text of a mapping file becomes plain data. What would let one file mean two things is refused here.

No aliases, tags, duplicate keys, keys that are not strings, or keys without a value: what is written is what
is meant, to a person as to a program.
"""

import json
import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import cast

import yaml

from mappings.errors import InvalidFile, shown

# Hundreds of mappings fit many times over, and a wrong path such as a log file is refused at once.
MAXIMUM_BYTES = 1024 * 1024
# A request nests four deep; the limit keeps a hostile file from exhausting the stack.
MAXIMUM_DEPTH = 32


def read_document(path: Path) -> object:
    """Return what a YAML or JSON file holds; raise InvalidFile with one sentence, without the path."""
    return parse_document(read_text(path), path.suffix)


def parse_document(text: str, suffix: str) -> object:
    """Return what the text of a file with this suffix holds."""
    try:
        return _read_json(text) if suffix == ".json" else _read_yaml(text)
    except InvalidFile:
        raise
    except RecursionError as error:
        raise InvalidFile(["the file is nested too deeply"]) from error
    except ValueError as error:
        # A scalar that looks like a date or a number and is none, such as 2026-02-30.
        raise InvalidFile([f"a value cannot be read: {error}"]) from error


def read_text(path: Path, maximum_json_bytes: int = MAXIMUM_BYTES) -> str:
    """Return the text of a file; a JSON object may be larger where the caller says so."""
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_BYTES + 1)
            limit = maximum_json_bytes if content.lstrip()[:1] == b"{" else MAXIMUM_BYTES
            content += file.read(max(0, limit + 1 - len(content)))
    except OSError as error:
        raise InvalidFile([f"the file cannot be read: {error.strerror or error}"]) from error
    if len(content) > limit:
        raise too_large(limit)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile([f"the file is not UTF-8 text, at byte {error.start}"]) from error


def too_large(limit: int) -> InvalidFile:
    return InvalidFile([f"the file is larger than {limit // MAXIMUM_BYTES} MiB"])


def _read_json(text: str) -> object:
    try:
        return parse_json(text, _json_object)
    except json.JSONDecodeError as error:
        raise InvalidFile([f"line {error.lineno}, column {error.colno}: not JSON: {error.msg}"]) from error


def parse_json(text: str, object_of: Callable[[list[tuple[str, object]]], object]) -> object:
    """Parse JSON and nothing beyond it; `object_of` makes each object from its pairs."""
    parsed: object = json.loads(text, object_pairs_hook=object_of, parse_constant=_refuse_constant)
    return parsed


def _json_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidFile([f"the key {shown(key)} is given twice in one object"])
        if value is None:
            raise InvalidFile([f"the key {shown(key)} has no value"])
        found[key] = value
    return found


def _refuse_constant(name: str) -> object:
    raise InvalidFile([f"{name} is not JSON"])


def _read_yaml(text: str) -> object:
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        raise yaml_problem(error) from error


def yaml_problem(error: yaml.MarkedYAMLError | yaml.reader.ReaderError) -> InvalidFile:
    """Return the sentence for what the YAML parser refused."""
    if isinstance(error, yaml.reader.ReaderError):
        return InvalidFile([f"not YAML: a character at position {error.position} is not allowed"])
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return InvalidFile([f"{where}{error.problem or error.context}"])


# What YAML 1.1 and 1.2, JSON and a reader agree on.
_NUMBER = re.compile(
    r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+|(0|[1-9][0-9]*)?\.[0-9]+([eE][-+]?[0-9]+)?|(0|[1-9][0-9]*)\.?"
    r"([eE][-+]?[0-9]+)?|\.inf|\.Inf|\.INF|\.nan|\.NaN|\.NAN)"
)
_NUMBER_TAGS = {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}


class _Loader(yaml.SafeLoader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call] # the stubs left it out
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refusal("anchors and aliases are not accepted", event)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            raise _refusal(f"the tag {event.tag} is not accepted", event)
        if self._depth == MAXIMUM_DEPTH:
            raise _refusal("nested too deeply", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def compose_scalar_node(self, anchor: dict[str, yaml.Node] | None) -> yaml.ScalarNode:
        node: yaml.ScalarNode = super().compose_scalar_node(anchor)  # type: ignore[arg-type]
        if node.tag in _NUMBER_TAGS and not _NUMBER.fullmatch(node.value):
            meant = self.construct_yaml_int if node.tag.endswith("int") else self.construct_yaml_float
            raise _refusal(
                f"{node.value} is the number {meant(node)} in YAML 1.1 alone: write that, or quote it", node
            )
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - SafeLoader's signature
        found: dict[Hashable, object] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key_node.tag != "tag:yaml.org,2002:str":
                raise _refusal("a key must be a string; quote it if it is meant as one", key_node)
            if key in found:
                raise _refusal(f"the key {shown(key)} is given twice", key_node)
            if value_node.tag == "tag:yaml.org,2002:null":
                raise _refusal(f"the key {shown(key)} has no value", key_node)
            found[key] = self.construct_object(value_node, deep=deep)
        return found


def _refusal(problem: str, place: yaml.Event | yaml.Node) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", place.start_mark))
