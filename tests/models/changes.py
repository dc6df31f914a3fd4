"""Two versions of a service model compared: what a client or a reader of answers would notice."""

from collections.abc import Iterator, Mapping
from typing import Any

Model = Mapping[str, Any]
_FACTS = ("type", "required", "min", "max", "pattern", "enum", "error", "payload")
_REFERENCES = ("member", "key", "value")


def changes(before: Model, after: Model) -> Iterator[str]:
    """Yield a line for each operation and shape that came, went or changed."""
    yield from _names("operation", before["operations"], after["operations"])
    for name in sorted(before["operations"].keys() & after["operations"].keys()):
        old, new = before["operations"][name], after["operations"][name]
        for fact in ("http", "input", "output", "errors"):
            if _plain(old.get(fact)) != _plain(new.get(fact)):
                yield f"operation {name}: {fact} {_plain(old.get(fact))} -> {_plain(new.get(fact))}"
    yield from _names("shape", before["shapes"], after["shapes"])
    for name in sorted(before["shapes"].keys() & after["shapes"].keys()):
        yield from _shape(name, before["shapes"][name], after["shapes"][name])


def _names(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{kind} {name}: new" for name in sorted(new.keys() - old.keys()))
    yield from (f"{kind} {name}: gone" for name in sorted(old.keys() - new.keys()))


def _shape(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    yield from _names(f"member {name}", old.get("members", {}), new.get("members", {}))
    for member in sorted(old.get("members", {}).keys() & new.get("members", {}).keys()):
        was, is_now = _plain(old["members"][member]), _plain(new["members"][member])
        if was != is_now:
            yield f"member {name} {member}: {was} -> {is_now}"
    for fact in (*_FACTS, *_REFERENCES):
        if _plain(old.get(fact)) != _plain(new.get(fact)):
            yield f"shape {name}: {fact} {_plain(old.get(fact))} -> {_plain(new.get(fact))}"


def _plain(value: Any) -> Any:
    """Without documentation, which changes every day."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if key != "documentation"}
    return [_plain(each) for each in value] if isinstance(value, list) else value
