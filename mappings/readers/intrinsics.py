"""What the intrinsic functions of CloudFormation give, for a scope that knows the names of one template."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from mappings.errors import shown
from mappings.readers.conversion import structured, text_of
from mappings.readers.found import Unresolved, all_of

# A filter pattern has 4,096 characters; names that refer to names must not grow without end.
MAXIMUM_TEXT = 64 * 1024
DYNAMIC = re.compile(r"\{\{(resolve:[^{}]*)\}\}")


class Scope(Protocol):
    """The names of one template."""

    def reference(self, name: str) -> object:
        """Return what `Ref` gives."""

    def attribute(self, logical_id: str, attribute: str) -> object:
        """Return what `Fn::GetAtt` gives."""

    def condition(self, name: str) -> bool:
        """Return whether a condition holds."""

    def table_value(self, table: str, first: str, second: str) -> object:
        """Return a value of the section Mappings, or ABSENT."""

    def export(self, name: str) -> object:
        """Return what `Fn::ImportValue` gives."""

    def text(self, text: str) -> object:
        """Return what a text means before any function sees it."""

    def with_whole_arns(self) -> "Scope":
        """Return the same names, where an ARN is always a whole one."""


class _Absent:
    """What `AWS::NoValue` stands for: the property is as if it were not written."""


ABSENT = _Absent()


def evaluate(expression: object, scope: Scope) -> object:
    """Return the plain data that an expression means, or ABSENT; raise Unresolved."""
    match expression:
        case None:
            raise Unresolved("there is no value")
        case str():
            return scope.text(expression)
        case Mapping() if (function := _function_of(expression)) is not None:
            return FUNCTIONS[function](expression[function], scope)
        case Mapping():
            values = all_of(partial(_at, f".{key}", item, scope) for key, item in expression.items())
            members = zip(map(str, expression), values, strict=True)
            return {key: value for key, value in members if value is not ABSENT}
        case list():
            items = all_of(partial(_at, f"[{index}]", item, scope) for index, item in enumerate(expression))
            return [value for value in items if value is not ABSENT]
        case _:
            return expression


def references_in(expression: object) -> Iterator[str]:
    """Yield the names of answers to which anything in a document refers; `ImportValue.` for all exports."""
    if isinstance(expression, str):
        yield from DYNAMIC.findall(expression)
    elif isinstance(expression, Mapping):
        if len(expression) == 1:
            yield from _references_of(*next(iter(expression.items())))
        for item in expression.values():
            yield from references_in(item)
    elif isinstance(expression, list):
        for item in expression:
            yield from references_in(item)


def _references_of(function: str, argument: object) -> Iterator[str]:
    match function, argument:
        case ("Ref", str(name)) | ("Fn::GetAtt", str(name)):
            yield name
        case "Fn::GetAtt", [str(logical_id), str(attribute)]:
            yield f"{logical_id}.{attribute}"
        case ("Fn::Sub", str(text)) | ("Fn::Sub", [str(text), *_]):
            yield from (name for literal, name in _PLACEHOLDER.findall(text) if not literal)
        case "Fn::ImportValue", _:
            yield f"ImportValue.{argument}" if isinstance(argument, str) else "ImportValue."


def truth(expression: object, scope: Scope) -> bool:
    """Return whether an entry of the section Conditions holds."""
    match expression:
        case {"Condition": str(name), **other} if not other:
            return scope.condition(name)
        case {"Fn::Equals": [first, second]}:
            left, right = evaluate_each((first, second), scope)
            return _comparable(left) == _comparable(right)
        case {"Fn::Not": [inner]}:
            return not truth(inner, scope)
        case {"Fn::And": list(parts)}:
            return all(truth(part, scope) for part in parts)
        case {"Fn::Or": list(parts)}:
            return any(truth(part, scope) for part in parts)
        case _:
            raise Unresolved(f"{shown(expression)} is not a condition that can be evaluated")


def evaluate_each(expressions: Sequence[object], scope: Scope) -> list[object]:
    """Return what each expression means; raise Unresolved with the questions of all of them."""
    return all_of(partial(evaluate, expression, scope) for expression in expressions)


def _at(step: str, expression: object, scope: Scope) -> object:
    try:
        return evaluate(expression, scope)
    except Unresolved as unresolved:
        raise unresolved.within(step) from None


def _function_of(expression: Mapping[str, object]) -> str | None:
    """Return the name of the function that an object calls; an object of one member may be plain data."""
    if len(expression) != 1:
        return None
    (name,) = expression
    if name in FUNCTIONS:
        return name
    if str(name).startswith("Fn::"):
        raise Unresolved(f"!{name.removeprefix('Fn::')} is not supported")
    return None


def _comparable(value: object) -> object:
    return text_of(value) if isinstance(value, bool | int | float) else value


def _text(value: object, function: str) -> str:
    if not isinstance(value, str | int | float):  # a bool is an int
        raise Unresolved(f"!{function} needs a text where it is given {shown(value)}")
    text = value if isinstance(value, str) else text_of(value)
    return _bounded(text)


def _bounded(text: str) -> str:
    if len(text) > MAXIMUM_TEXT:
        raise Unresolved(f"its text has more than {MAXIMUM_TEXT} characters")
    return text


def _malformed(function: str, argument: object) -> Unresolved:
    return Unresolved(f"!{function} {shown(argument)} is malformed")


def _ref(argument: object, scope: Scope) -> object:
    if not isinstance(argument, str):
        raise _malformed("Ref", argument)
    return ABSENT if argument == "AWS::NoValue" else scope.reference(argument)


def _get_att(argument: object, scope: Scope) -> object:
    match argument:
        case str() if "." in argument:
            logical_id, _, attribute = argument.partition(".")
            return scope.attribute(logical_id, attribute)
        case [str(logical_id), attribute]:
            return scope.attribute(logical_id, _text(evaluate(attribute, scope), "GetAtt"))
        case _:
            raise _malformed("GetAtt", argument)


_NO_VARIABLES: Mapping[str, object] = {}
_PLACEHOLDER = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")


def _sub(argument: object, scope: Scope) -> object:
    match argument:
        case str():
            template, variables = argument, _NO_VARIABLES
        case [str(template), Mapping() as variables]:
            pass
        case _:
            raise _malformed("Sub", argument)

    def value_of(name: str) -> str:
        if name in variables:
            value = evaluate(variables[name], scope)
        else:
            value = _get_att(name, scope) if "." in name else scope.reference(name)
        return _text(value, "Sub")

    written = _text(scope.text(template), "Sub")
    names = dict.fromkeys(name for literal, name in _PLACEHOLDER.findall(written) if not literal)
    values = dict(zip(names, all_of(partial(value_of, name) for name in names), strict=True))
    return _bounded(
        _PLACEHOLDER.sub(lambda found: f"${{{found[2]}}}" if found[1] else values[found[2]], written)
    )


def _join(argument: object, scope: Scope) -> object:
    match argument:
        case [str(delimiter), parts]:
            values = structured(evaluate(parts, scope))
            if isinstance(values, list):
                return _bounded(delimiter.join(_text(value, "Join") for value in values))
    raise _malformed("Join", argument)


def _split(argument: object, scope: Scope) -> object:
    match argument:
        case [str(delimiter), text] if delimiter:
            # CDK takes the name of a function from the ARN of its alias, by counting colons.
            whole = _text(evaluate(text, scope.with_whole_arns()), "Split")
            return list(whole.split(delimiter))
        case _:
            raise _malformed("Split", argument)


def _select(argument: object, scope: Scope) -> object:
    match argument:
        case [index, choices]:
            chosen = _text(evaluate(index, scope), "Select")
            # Only the chosen one has to be known.
            values = choices if isinstance(choices, list) else structured(evaluate(choices, scope))
            if isinstance(values, list) and chosen.isdecimal() and int(chosen) < len(values):
                return evaluate(values[int(chosen)], scope)
    raise _malformed("Select", argument)


def _if(argument: object, scope: Scope) -> object:
    match argument:
        case [str(condition), then, otherwise]:
            return evaluate(then if scope.condition(condition) else otherwise, scope)
        case _:
            raise _malformed("If", argument)


def _find_in_map(argument: object, scope: Scope) -> object:
    match argument:
        case [table, first, second, *rest] if len(rest) <= 1:
            keys = [_text(key, "FindInMap") for key in evaluate_each((table, first, second), scope)]
        case _:
            raise _malformed("FindInMap", argument)
    value = scope.table_value(keys[0], keys[1], keys[2])
    match value, rest:
        case _Absent(), [{"DefaultValue": default}]:
            return evaluate(default, scope)
        case _Absent(), _:
            raise Unresolved(f"!FindInMap {'.'.join(keys)} is not in the section Mappings")
        case _:
            return value


def _import_value(argument: object, scope: Scope) -> object:
    return scope.export(_text(evaluate(argument, scope), "ImportValue"))


def _to_json_string(argument: object, scope: Scope) -> object:
    return json.dumps(evaluate(argument, scope), separators=(",", ":"), ensure_ascii=False)


FUNCTIONS: Mapping[str, Callable[[object, Scope], object]] = {
    "Ref": _ref,
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::ImportValue": _import_value,
    "Fn::ToJsonString": _to_json_string,
}
