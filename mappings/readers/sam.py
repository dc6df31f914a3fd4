"""Mappings that a SAM template defines as events of its functions."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mappings.errors import shown
from mappings.readers.answers import FileAnswers
from mappings.readers.cloudformation import is_wanted, request_of
from mappings.readers.found import FoundMapping, Problem, Unresolved
from mappings.readers.intrinsics import ABSENT
from mappings.readers.template import Template

_TYPE = "AWS::Serverless::Function"
# The events that are mappings, each with the property that names its source.
_SOURCES = {"SQS": "Queue", "Kinesis": "Stream", "DynamoDB": "Stream"}
_OTHER_MAPPINGS = ("MSK", "SelfManagedKafka", "MQ", "DocumentDB")
# Lambda is called by these; nothing polls for them.
_PUSHED = {
    "AlexaSkill",
    "Api",
    "CloudWatchEvent",
    "CloudWatchLogs",
    "Cognito",
    "EventBridgeRule",
    "HttpApi",
    "IoTRule",
    "S3",
    "SNS",
    "Schedule",
    "ScheduleV2",
}
# What an event may not say: SAM says it itself.
_OWN = ("FunctionName", "EventSourceArn", "Tags")


def mappings_in(
    template: Template, document: Mapping[str, object], answers: FileAnswers
) -> Iterator[FoundMapping]:
    """Yield the mappings of the functions' events."""
    for logical_id, resource in template.resources.items():
        if not isinstance(resource, Mapping) or resource.get("Type") != _TYPE:
            continue
        events = template.properties_of(logical_id).get("Events", {})
        if not isinstance(events, Mapping):
            problem = "Events must be an object whose names are written out"
            yield FoundMapping(place=f"Resources.{logical_id}", problems=(problem,))
            continue
        alias = template.properties_of(logical_id).get("AutoPublishAlias", _global_alias(document))
        for name, event in events.items():
            place = f"Resources.{logical_id}.Events.{name}"
            kind = event.get("Type") if isinstance(event, Mapping) else None
            problems: list[Problem] = []
            if str(kind) in _PUSHED or not is_wanted(template, resource, problems):
                continue
            if str(kind) not in _SOURCES:
                yield FoundMapping(place=place, problems=(_refusal(kind),))
                continue
            found = _mapping(template, place, event, problems)
            yield _with_function(template, found, logical_id, alias, answers)


def _global_alias(document: Mapping[str, object]) -> object:
    match document.get("Globals"):
        case {"Function": {"AutoPublishAlias": alias}}:
            return alias
        case _:
            return None


def _refusal(kind: object) -> str:
    if kind in _OTHER_MAPPINGS:
        return f"Type {kind} is not supported; {', '.join(_SOURCES)} are"
    return f"Type {shown(kind)} is not an event of SAM"


def _mapping(
    template: Template, place: str, event: Mapping[str, object], problems: list[Problem]
) -> FoundMapping:
    source = _SOURCES[str(event["Type"])]
    properties = event.get("Properties", {})
    if not isinstance(properties, Mapping):
        return FoundMapping(place=place, problems=(*problems, "Properties must be an object"))
    problems += [f"{name} is not a property of a SAM event" for name in _OWN if name in properties]
    if source not in properties:
        problems.append(f"{source} is missing")
    written = {name: value for name, value in properties.items() if name not in _OWN}
    if "DestinationConfig" in written:
        written["DestinationConfig"] = _without_type(written["DestinationConfig"])
    renamed = {("EventSourceArn" if name == source else name): value for name, value in written.items()}
    return request_of(template, place, renamed, problems, {"EventSourceArn": source})


def _without_type(config: object) -> object:
    """Drop what SAM wants to know of a destination for the role of the function alone."""
    match config:
        case {"OnFailure": {"Type": "SQS" | "SNS", **on_failure}, **other}:
            return {**other, "OnFailure": on_failure}
        case _:
            return config


def _with_function(
    template: Template, found: FoundMapping, logical_id: str, alias: object, answers: FileAnswers
) -> FoundMapping:
    """Return the mapping with the function whose event it is, or the alias that SAM publishes for it."""
    try:
        function = template.function_name_of({"Ref": logical_id})
        qualifier = ABSENT if alias is None else template.value_of(alias)
    except Unresolved as unresolved:
        questions = unresolved.within("the name of the function").questions
        return replace(found, problems=(*found.problems, *questions))
    name, unnamed = function.name, function.unnamed
    if qualifier is not ABSENT:
        answer = answers.get(f"{logical_id}.Alias", own=True)
        name, unnamed = (f"{name}:{qualifier}", unnamed) if answer is None else (answer, None)
    return replace(found, request={**found.request, "FunctionName": name}, unnamed=unnamed)
