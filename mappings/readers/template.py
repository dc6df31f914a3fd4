"""What the names in a CloudFormation template stand for: those of its parameters, resources, conditions."""

import re
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass

from mappings.errors import shown
from mappings.readers.answers import FileAnswers
from mappings.readers.conversion import structured
from mappings.readers.found import Unresolved
from mappings.readers.intrinsics import ABSENT, DYNAMIC, evaluate, references_in, truth
from mappings.readers.resources import FUNCTION_TYPES, KINDS, UNKNOWABLE, Kind

# The partition follows from the region, and nearly always is the first.
_PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
_ARN_PARTS = {"region": "AWS::Region", "account": "AWS::AccountId"}
_PSEUDO = ("AWS::Region", "AWS::AccountId", "AWS::StackName", "AWS::StackId", "AWS::NotificationARNs")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFunction:
    """What a template means as a FunctionName."""

    name: object
    unnamed: str | None
    """The logical ID in it, where the template gives the function no name."""


class Template:
    """The names of one template, as `mappings.readers.intrinsics.Scope` asks for them.

    `known` gives pseudo parameters for which no answer is needed; `text_of` is what a text means before any
    function sees it.
    """

    def __init__(
        self,
        document: Mapping[str, object],
        answers: FileAnswers,
        *,
        known: Mapping[str, Callable[[], object]] | None = None,
        text_of: Callable[[str], object] | None = None,
    ) -> None:
        self.resources = _section(document, "Resources")
        self._parameters = _section(document, "Parameters")
        self._conditions = _section(document, "Conditions")
        self._tables = _section(document, "Mappings")
        self._answers = answers
        self._known = known or {}
        self._text_of = text_of
        self._found: dict[tuple[str, str], object] = {}
        self._unnamed_by: dict[tuple[str, str], list[str]] = {}  # the same keys as in _found
        self._open: set[tuple[str, str]] = set()
        self._bare_functions = False
        self._names_functions = False
        self._unnamed: list[str] = []  # functions whose logical IDs stood for names since this was cleared
        for name in self._parameters:
            answers.get(name)  # it means the same in every file that declares it
        mentioned = frozenset(references_in(document)) | self._named_resources()
        answers.mention(
            lambda name: (
                name in mentioned or (name.startswith("ImportValue.") and "ImportValue." in mentioned)
            )
        )

    def value_of(self, expression: object) -> object:
        """Return the plain data that an expression means, or ABSENT; raise Unresolved."""
        return evaluate(expression, self)

    def function_name_of(self, expression: object) -> "NamedFunction":
        """Return what an expression means as a FunctionName.

        A function of this template is its bare name there, even where the template asks for its ARN: so a
        mapping file can define it, and neither region nor account has to be known.
        """
        self._unnamed.clear()
        value = evaluate(expression, self._view(bare_functions=True, names_functions=True))
        return NamedFunction(name=value, unnamed=next(iter(self._unnamed), None))

    def with_whole_arns(self) -> "Template":
        return self._view(bare_functions=False, names_functions=self._names_functions)

    def reference(self, name: str) -> object:
        answer = self._answers.get(name, direct=self._is_stored(name), own=self._is_own(name))
        if answer is not None:
            return self._parameter_value(name, answer)
        if name in self._parameters:
            return self._default(name)
        if name.startswith("AWS::"):
            return self._pseudo(name)
        return self._of_resource(name, "Ref")

    def attribute(self, logical_id: str, attribute: str, unknown: str | None = None) -> object:
        """Return what GetAtt gives; `unknown` says why no template knows it, where the caller can tell."""
        answer = self._answers.get(f"{logical_id}.{attribute}", own=True)
        if answer is not None:
            return answer
        if unknown is not None:
            name = f"{logical_id}.{attribute}"
            raise Unresolved.asking(name, unknown, name)
        return self._of_resource(logical_id, attribute)

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            raise Unresolved(f"the condition {name} is not in the section Conditions")
        return bool(self._once(("condition", name), lambda: truth(self._conditions[name], self)))

    def table_value(self, table: str, first: str, second: str) -> object:
        value: object = self._tables
        for key in (table, first, second):
            value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
        return value if value is ABSENT else evaluate(value, self)

    def export(self, name: str) -> object:
        answer = self._answers.get(f"ImportValue.{name}")
        if answer is None:
            raise Unresolved.asking(
                f"!ImportValue {name}", "is exported by another stack", f"ImportValue.{name}"
            )
        return answer

    def text(self, text: str) -> object:
        if self._text_of is not None:
            value = self._text_of(text)
            if not isinstance(value, str):
                return evaluate(value, self)
            text = value
        return DYNAMIC.sub(self._dynamic_value, text)

    def is_something(self, expression: object) -> bool:
        """Return whether an expression cannot be empty or absent, as an `If` or a parameter may be."""
        match expression:
            case {"Fn::If": _}:
                return False
            case {"Ref": str(name)}:
                return name in self.resources
            case _:
                return True

    def name_of(self, logical_id: str) -> object:
        """Return the name of a resource, or None where only a deployment gives it one."""
        return self._once(("name", logical_id), lambda: self._name_of(logical_id))

    def properties_of(self, logical_id: str) -> Mapping[str, object]:
        return _section(self._resource(logical_id), "Properties")

    def _view(self, *, bare_functions: bool, names_functions: bool) -> "Template":
        """Return another view of this very template."""
        view = copy(self)
        view._bare_functions = bare_functions  # noqa: SLF001
        view._names_functions = names_functions  # noqa: SLF001
        return view

    def _named_resources(self) -> frozenset[str]:
        """Return the logical IDs for which an answer is a name, whether or not they are referred to."""
        kinds = {logical_id: KINDS.get(self._kind(logical_id)) for logical_id in self.resources}
        return frozenset(name for name, kind in kinds.items() if kind and kind.reference == "name")

    def _kind(self, logical_id: str) -> str:
        return str(self._resource(logical_id).get("Type", ""))

    def _is_own(self, name: str) -> bool:
        """Return whether a name is one of this template alone; a parameter may be one of many stacks."""
        return name not in self._parameters and not name.startswith("AWS::")

    def _dynamic_value(self, found: re.Match[str]) -> str:
        answer = self._answers.get(found[1])
        if answer is None:
            raise Unresolved.asking(found[0], "is looked up on deployment", found[1])
        return str(answer)

    def _resource(self, logical_id: str) -> Mapping[str, object]:
        resource = self.resources.get(logical_id)
        return resource if isinstance(resource, Mapping) else {}

    def _once(self, key: tuple[str, str], value: Callable[[], object]) -> object:
        """Return a value that is asked for again and again; one that needs itself is refused."""
        if key in self._open:
            raise Unresolved(f"the {key[0]} of {key[1]} refers to itself")
        if key not in self._found:
            self._open.add(key)
            before = len(self._unnamed)
            try:
                self._found[key] = value()
            finally:
                self._open.remove(key)
            self._unnamed_by[key] = self._unnamed[before:]
        else:
            self._unnamed.extend(self._unnamed_by[key])
        return self._found[key]

    def _is_stored(self, parameter: str) -> bool:
        """Return whether the value of the parameter is a key under which Systems Manager holds another."""
        return str(_section(self._parameters, parameter).get("Type", "")).startswith("AWS::SSM::Parameter::")

    def _default(self, name: str) -> object:
        declared = _section(self._parameters, name)
        if self._is_stored(name):
            raise Unresolved.asking(f"!Ref {name}", "is held by Systems Manager", name)
        if declared.get("Default") is None:
            raise Unresolved.asking(f"!Ref {name}", "is a parameter without a default", name)
        return self._parameter_value(name, declared["Default"])

    def _parameter_value(self, name: str, value: object) -> object:
        declared = _section(self._parameters, name)
        allowed = declared.get("AllowedValues")
        if isinstance(allowed, list) and str(value).lower() not in (str(each).lower() for each in allowed):
            raise Unresolved(f"{shown(value)} is not one of the AllowedValues of the parameter {name}")
        kind = str(declared.get("Type", ""))
        if isinstance(value, str) and (kind == "CommaDelimitedList" or kind.startswith("List<")):
            listed = structured(value)
            return listed if isinstance(listed, list) else [part.strip() for part in value.split(",")]
        return value

    def _pseudo(self, name: str) -> object:
        if name in self._known:
            return self._known[name]()
        match name:
            case "AWS::Partition":
                region = str(self.reference("AWS::Region"))
                return next((part for start, part in _PARTITIONS.items() if region.startswith(start)), "aws")
            case "AWS::URLSuffix":
                return "amazonaws.com.cn" if self.reference("AWS::Partition") == "aws-cn" else "amazonaws.com"
            case _ if name in _PSEUDO:
                raise Unresolved.asking(f"!Ref {name}", "is known only on deployment", name)
            case _:
                raise Unresolved(f"!Ref {name} is not a pseudo parameter")

    def _of_resource(self, logical_id: str, attribute: str) -> object:
        """Return what Ref or an attribute of a resource of this template gives."""
        is_ref = attribute == "Ref"
        text, answer = (
            (f"!Ref {logical_id}", logical_id)
            if is_ref
            else (f"!GetAtt {logical_id}.{attribute}", f"{logical_id}.{attribute}")
        )
        kind_name = self._kind(logical_id)
        if not kind_name:
            raise Unresolved.asking(text, "names neither a parameter nor a resource of this template", answer)
        if is_ref and kind_name == "AWS::Lambda::Alias":
            view = f"{'bare ' * self._bare_functions}{'named ' * self._names_functions}alias"
            return self._once((view, logical_id), lambda: self._alias(logical_id))
        kind = KINDS.get(kind_name)
        wanted = None if kind is None else _wanted(kind, attribute)
        if kind is None or wanted is None:
            reason = UNKNOWABLE.get((kind_name, attribute), "is known only on deployment")
            raise Unresolved.asking(text, reason, answer)
        name = self.name_of(logical_id)
        if name is None and self._names_functions and kind_name in FUNCTION_TYPES:
            # A mapping file can define a function under its logical ID.
            self._unnamed.append(logical_id)
            name = logical_id
        if name is None:
            reason = f"is known only on deployment, because {logical_id} has no {kind.name_property}"
            raise Unresolved.asking(text, reason, answer)
        if wanted == "name" or (self._bare_functions and kind_name in FUNCTION_TYPES):
            return name
        return self._arn(kind, name, text)

    def _name_of(self, logical_id: str) -> object:
        kind = KINDS[self._kind(logical_id)]
        # For what Ref gives the name, an answer for Ref is one for the name.
        asked = logical_id if kind.reference == "name" else f"{logical_id}.{kind.name_attribute}"
        answer = self._answers.get(asked, own=True)
        if answer is not None:
            return answer
        written = self.properties_of(logical_id).get(kind.name_property)
        name = ABSENT if written is None else evaluate(written, self)
        return None if name is ABSENT else name

    def _alias(self, logical_id: str) -> object:
        properties = self.properties_of(logical_id)
        function = evaluate(properties.get("FunctionName"), self)
        alias = f"{function}:{evaluate(properties.get('Name'), self)}"
        if self._bare_functions or alias.startswith("arn:"):
            return alias
        return self._arn(KINDS["AWS::Lambda::Function"], alias, f"!Ref {logical_id}")

    def _arn(self, kind: Kind, name: object, reference: str) -> str:
        values: dict[str, object] = {}
        missing: list[str] = []
        for part, pseudo in _ARN_PARTS.items():
            if f"{{{part}}}" in kind.arn:
                try:
                    values[part] = self.reference(pseudo)
                except Unresolved:
                    missing.append(pseudo)
        if missing:
            raise Unresolved.asking(reference, f"needs {' and '.join(missing)}", *missing)
        return kind.arn.format(name=name, partition=self.reference("AWS::Partition"), **values)


def _wanted(kind: Kind, attribute: str) -> str | None:
    if attribute == "Ref":
        return kind.reference
    if attribute == kind.arn_attribute:
        return "arn"
    return "name" if attribute == kind.name_attribute else None


def _section(document: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = document.get(name)
    return section if isinstance(section, Mapping) else {}
