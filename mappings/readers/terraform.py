"""Mappings in what `terraform show -json` prints of a plan or of a state."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from mappings.limits import field_refusal
from mappings.readers.answers import FileAnswers
from mappings.readers.conversion import typed
from mappings.readers.found import FoundMapping, Problem, Question
from mappings.readers.terraform_references import Functions, Module
from mappings.service_model import CREATE_REQUEST, members, shape

_TYPE = "aws_lambda_event_source_mapping"
# Resources that stand for a template of CloudFormation.
_STACKS = {
    "aws_cloudformation_stack",
    "aws_cloudformation_stack_set",
    "aws_serverlessapplicationrepository_cloudformation_stack",
    "awscc_cloudformation_stack",
}
_LOOKED_AT = {_TYPE, "awscc_lambda_event_source_mapping", *_STACKS}
# Blocks are called by what one of them holds.
_RENAMED = {
    "filter": "Filters",
    "destination_arn": "Destination",
    "source_access_configuration": "SourceAccessConfigurations",
}
# What AWS or the provider makes up; it asks for nothing.
_COMPUTED = {
    "arn",
    "function_arn",
    "id",
    "last_modified",
    "last_processing_result",
    "region",
    "state",
    "state_transition_reason",
    "tags_all",
    "uuid",
}
# What the provider takes from AWS where the configuration says nothing: unknown then, and not asked for.
_OPTIONAL_COMPUTED = {
    "amazon_managed_kafka_event_source_config",
    "maximum_record_age_in_seconds",
    "maximum_retry_attempts",
    "parallelization_factor",
    "self_managed_kafka_event_source_config",
}


def is_plan_or_state(document: object) -> bool:
    return (
        isinstance(document, Mapping)
        and "format_version" in document
        and not document.keys().isdisjoint({"terraform_version", "planned_values", "values"})
    )


def mappings_in(document: Mapping[str, object], answers: FileAnswers) -> Iterator[FoundMapping]:
    """Yield the mappings of all modules: as they will be after a plan, or as they are in a state."""
    values = _object(document.get("planned_values", document.get("values")))
    configuration = _object(_object(document.get("configuration")).get("root_module"))
    unknown = {
        str(change.get("address")): _object(_object(change.get("change")).get("after_unknown"))
        for change in _objects(document.get("resource_changes"))
    }
    for deferred in _objects(document.get("deferred_changes")):
        change = _object(deferred.get("resource_change"))
        if str(change.get("type")) in _LOOKED_AT:
            problem = "the plan leaves it for a later one; apply this one first"
            yield FoundMapping(place=str(change.get("address")), problems=(problem,))
    resources = list(_resources(_object(values.get("root_module")), Module(configuration=configuration)))
    functions = Functions.of(each for each, _ in resources)
    for resource, module in resources:
        kind, address = str(resource.get("type")), str(resource.get("address"))
        if kind not in _LOOKED_AT or resource.get("mode") != "managed":
            continue
        if kind != _TYPE:
            yield FoundMapping(place=address, problems=(_refusal(kind),))
            continue
        configured = module.expressions_of(f"{_TYPE}.{resource.get('name')}")
        function = functions.name_of(module, configured.get("function_name"), resource.get("index"))
        yield _Instance(address=address, answers=answers, function=function).mapping(
            dict(_object(resource.get("values"))),
            {
                name: known
                for name, known in unknown.get(address, {}).items()
                if name not in _COMPUTED and (name not in _OPTIONAL_COMPUTED or name in configured)
            },
        )


def _refusal(kind: str) -> str:
    if kind in _STACKS:
        return f"{kind} may define mappings in a template; give that as a file, and --skip this one"
    return f"{kind} is not supported; {_TYPE} is"


def _resources(values: Mapping[str, object], module: Module) -> Iterator[tuple[Mapping[str, object], Module]]:
    """Yield each resource of a module and of its children, with the module that it stands in."""
    for resource in _objects(values.get("resources")):
        yield resource, module
    for child in _objects(values.get("child_modules")):
        yield from _resources(child, module.child(str(child.get("address"))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Instance:
    """One mapping of a plan or a state, and the questions that it leaves open."""

    address: str
    answers: FileAnswers
    function: str | None
    """The function of the same plan that the configuration refers to."""
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def mapping(self, values: dict[str, object], unknown: Mapping[str, object]) -> FoundMapping:
        for name in {**values, **unknown}:
            if name not in _COMPUTED:
                answer = self._answer(name)
                known = (
                    self._completed(name, values.get(name), unknown.get(name)) if answer is None else answer
                )
                values[name] = known
        if values.get("maximum_retry_attempts") == 0 and values.get("maximum_record_age_in_seconds") == 0:
            # No age is 0: AWS has answered with neither, as for queues, and the provider stored zeros.
            values["maximum_retry_attempts"] = None
        values["tags"] = values.get("tags_all") or values.get("tags")  # the provider sends its own, too
        written = {name: value for name, value in values.items() if name not in _COMPUTED}
        request = typed(_structure(CREATE_REQUEST, written))
        assert isinstance(request, dict)
        return FoundMapping(
            place=self.address,
            request=request,
            problems=self._asked(request),
            notes=tuple(self.notes),
            spelled=_spelled(),
        )

    def _asked(self, request: Mapping[str, object]) -> tuple[Problem, ...]:
        """Return the questions; what will be refused whatever the answers are is not asked about."""
        refusals = [problem for problem in self.problems if isinstance(problem, str)]
        refusals += [refusal for member in request if (refusal := field_refusal(member)) is not None]
        return tuple(refusals if self.problems and refusals else self.problems)

    def _answer(self, path: str) -> object:
        return self.answers.get(f"{self.address}.{path}", own=True)

    def _unknown(self, path: str) -> object:
        """Return what is taken for a value that nothing gives, if anything; else ask for it."""
        question = Question(text=f"{path} is known only after apply", names=(f"{self.address}.{path}",))
        if path == "function_name" and self.function is not None:
            text = f"{path} is taken for {self.function}, the function that the configuration refers to"
            self.notes.append(replace(question, text=text, gives="another"))
            return self.function
        refusal = field_refusal(_attributes(CREATE_REQUEST).get(path, ""))
        if path.partition(".")[0] == "tags":
            # No tag changes what is delivered.
            self.notes.append(replace(question, text=f"{question.text}, and left out"))
        else:
            self.problems.append(question if refusal is None else refusal)
        return None

    def _completed(self, path: str, value: object, unknown: object) -> object:
        """Return a value with an answer wherever it is unknown until apply; ask for what stays unknown."""
        match unknown:
            case True:
                answer = self._answer(path)
                return self._unknown(path) if answer is None else answer
            case Mapping():
                known = dict(_object(value))
                for name, inner in unknown.items():
                    known[name] = self._completed(f"{path}.{name}", known.get(name), inner)
                return known
            case list():
                items = value if isinstance(value, list) else []
                items = items + [None] * (len(unknown) - len(items))
                return [
                    self._completed(f"{path}[{index}]", item, inner)
                    for index, (item, inner) in enumerate(zip(items, unknown, strict=False))
                ]
            case _:
                return value


@cache
def _attributes(name: str) -> Mapping[str, str]:
    """Return the attributes of a block, each with the member of the API that it stands for."""
    snake = {
        re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", member).lower(): member
        for member in members(name)
    }
    return snake | {attribute: member for attribute, member in _RENAMED.items() if member in members(name)}


@cache
def _spelled(name: str = CREATE_REQUEST) -> Mapping[str, str]:
    """Return the attribute for each member of a structure, and of those inside of it."""
    spelled: dict[str, str] = {}
    for attribute, member in _attributes(name).items():
        spelled[member] = attribute
        inner = members(name)[member]
        while shape(inner)["type"] == "list":
            inner = shape(inner)["member"]["shape"]
        if shape(inner)["type"] == "structure":
            spelled = {**_spelled(inner), **spelled}
    return spelled


def _structure(name: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return the structure that a block makes, without what the provider does not send."""
    built: dict[str, object] = {}
    for attribute, value in values.items():
        member = _attributes(name).get(attribute, attribute)
        known = members(name).get(member)
        item = value if known is None else _value(known, value)
        # To the provider zeros and empty texts are the same as nothing; only these two say something.
        if (
            item
            or (member == "Enabled" and item is False)
            or (member == "MaximumRetryAttempts" and item == 0)
        ):
            built[member] = item
    return built


def _value(name: str, value: object) -> object:
    match shape(name)["type"], value:
        case "structure", [Mapping() as block]:
            return _structure(name, block)
        case "structure", Mapping():
            return _structure(name, value)
        case "structure", [None]:
            return None
        case "list", list():
            return [_value(shape(name)["member"]["shape"], item) for item in value]
        case _:
            return value


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
