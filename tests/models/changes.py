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
                yield f"operation {name}: {fact} {_shown(old.get(fact), new.get(fact))}"
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
            yield f"shape {name}: {fact} {_shown(old.get(fact), new.get(fact))}"


def _shown(old: Any, new: Any) -> str:
    """Of lists what came and what went, of anything else both."""
    if not isinstance(old or [], list) or not isinstance(new or [], list):
        return f"{_plain(old)} -> {_plain(new)}"
    was, is_now = ([_name(each) for each in _plain(value or [])] for value in (old, new))
    came = [f"+{each}" for each in is_now if each not in was]
    return " ".join([*came, *(f"-{each}" for each in was if each not in is_now)]) or "in another order"


def _name(value: Any) -> str:
    return str(value["shape"] if isinstance(value, Mapping) and "shape" in value else value)


def _plain(value: Any) -> Any:
    """Without documentation, which changes every day."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if key != "documentation"}
    return [_plain(each) for each in value] if isinstance(value, list) else value
