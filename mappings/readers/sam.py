"""Mappings that a SAM template defines as events of its functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from mappings.errors import shown
from mappings.readers.answers import FileAnswers
from mappings.readers.cloudformation import is_wanted, not_seen, request_of
from mappings.readers.found import FoundMapping, Unresolved, all_of
from mappings.readers.intrinsics import ABSENT
from mappings.readers.template import NamedFunction, Template

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
    "Schedule",
    "ScheduleV2",
}
# What an SNS event says of the queue between the topic and the function; its URL is for the subscription.
_SUBSCRIPTION = {"QueueArn": "EventSourceArn", "BatchSize": "BatchSize", "Enabled": "Enabled"}
_MADE_BY_SAM = "is the ARN of a queue that SAM makes, known only on deployment"
# What an event may not say: SAM says it itself.
_OWN = ("FunctionName", "EventSourceArn", "Tags")


def mappings_in(
    template: Template, document: Mapping[str, object], answers: FileAnswers
) -> Iterator[FoundMapping]:
    """Yield the mappings of the functions' events."""
    for logical_id, resource in template.resources.items():
        if not isinstance(resource, Mapping) or resource.get("Type") != _TYPE:
            continue
        place = f"Resources.{logical_id}"
        properties = template.properties_of(logical_id)
        for call in [name for name in properties if name.startswith("Fn::")]:
            yield FoundMapping(place=f"{place}.Properties", problems=(not_seen(call),))
        events = properties.get("Events") or {}
        if not isinstance(events, Mapping):
            problem = "Events must be an object whose names are written out"
            yield FoundMapping(place=place, problems=(problem,))
            continue
        polled = {
            name: event if isinstance(event, Mapping) else {}
            for name, event in events.items()
            if _kind(event) not in _PUSHED
        }
        try:
            is_deployed = bool(polled) and is_wanted(template, resource)
        except Unresolved as unresolved:
            yield FoundMapping(place=place, problems=unresolved.questions)
            continue
        if is_deployed:
            alias = properties.get("AutoPublishAlias", _global_alias(document))
            function = _Function(template=template, logical_id=logical_id, alias=alias, answers=answers)
            yield from _mappings_of(function, polled)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Function:
    """A function of a template, and the alias that SAM publishes for it."""

    template: Template
    logical_id: str
    alias: object
    answers: FileAnswers


def _mappings_of(function: _Function, events: Mapping[str, Mapping[str, object]]) -> Iterator[FoundMapping]:
    template = function.template
    for name, event in events.items():
        place = f"Resources.{function.logical_id}.Events.{name}"
        kind = _kind(event)
        if kind == "SNS":
            found = _queue_of_topic(template, place, f"{function.logical_id}{name}Queue", event)
        elif kind in _SOURCES:
            found = _mapping(template, place, kind, event)
        else:
            found = FoundMapping(place=place, problems=(_refusal(name, kind),))
        if found is not None:
            yield _with_function(function, found)


def _kind(event: object) -> str:
    return str(event.get("Type", "")) if isinstance(event, Mapping) else ""


def _global_alias(document: Mapping[str, object]) -> object:
    match document.get("Globals"):
        case {"Function": {"AutoPublishAlias": alias}}:
            return alias
        case _:
            return None


def _refusal(name: str, kind: str) -> str:
    if name.startswith("Fn::"):
        return not_seen(name)
    if kind in _OTHER_MAPPINGS:
        return f"Type {kind} is not supported; {', '.join(_SOURCES)} are"
    return f"Type {shown(kind or None)} is not an event of SAM"


def _mapping(template: Template, place: str, kind: str, event: Mapping[str, object]) -> FoundMapping:
    source = _SOURCES[kind]
    properties = event.get("Properties") or {}
    if not isinstance(properties, Mapping):
        return FoundMapping(place=place, problems=("Properties must be an object",))
    problems = [f"{name} is not a property of a SAM event" for name in _OWN if name in properties]
    if source not in properties:
        problems.append(f"{source} is missing")
    written = {name: value for name, value in properties.items() if name not in _OWN}
    if "DestinationConfig" in written:
        written["DestinationConfig"] = _without_type(written["DestinationConfig"])
    renamed = {("EventSourceArn" if name == source else name): value for name, value in written.items()}
    return request_of(template, place, renamed, problems, {"EventSourceArn": source})


def _queue_of_topic(
    template: Template,
    place: str,
    made: str,
    event: Mapping[str, object],
) -> FoundMapping | None:
    """Return the mapping of the queue between a topic and the function; None where Lambda is called itself.

    `made` is the logical ID that SAM gives a queue which it makes.
    """
    properties = event.get("Properties", {})
    written = properties.get("SqsSubscription", False) if isinstance(properties, Mapping) else False
    try:
        subscription = template.value_of(written)
        if subscription is True:
            subscription = {"QueueArn": template.attribute(made, "Arn", _MADE_BY_SAM)}
    except Unresolved as unresolved:
        questions = unresolved.within(".SqsSubscription").questions
        return FoundMapping(place=place, problems=questions)
    if subscription is False or subscription is ABSENT:
        return None
    match subscription:
        case {**queue} if "QueueArn" in queue and queue.keys() <= {*_SUBSCRIPTION, "QueueUrl"}:
            renamed = {member: queue[name] for name, member in _SUBSCRIPTION.items() if name in queue}
            spelled = {member: f"SqsSubscription.{name}" for name, member in _SUBSCRIPTION.items()}
            return request_of(template, place, renamed, (), spelled)
        case _:
            text = "SqsSubscription: true, or an object with QueueArn and QueueUrl is expected, not"
            return FoundMapping(place=place, problems=(f"{text} {shown(subscription)}",))


def _without_type(config: object) -> object:
    """Drop what SAM wants to know of a destination for the role of the function alone."""
    match config:
        case {"OnFailure": {"Type": "SQS" | "SNS" | "S3", **on_failure}, **other}:
            return {**other, "OnFailure": on_failure}
        case _:
            return config


def _with_function(function: _Function, found: FoundMapping) -> FoundMapping:
    """Return the mapping with the function whose event it is, or the alias that SAM publishes for it."""
    template, logical_id, alias = function.template, function.logical_id, function.alias
    answer = None if alias is None else function.answers.get(f"{logical_id}.Alias", own=True)
    if answer is not None:
        return replace(found, request={**found.request, "FunctionName": answer})
    try:
        named, qualifier = all_of(
            (
                lambda: template.function_name_of({"Ref": logical_id}),
                lambda: ABSENT if alias is None else template.value_of(alias),
            )
        )
    except Unresolved as unresolved:
        questions = unresolved.within("the name of the function").questions
        return replace(found, problems=(*found.problems, *questions))
    assert isinstance(named, NamedFunction)
    name = named.name if qualifier is ABSENT else f"{named.name}:{qualifier}"
    return replace(found, request={**found.request, "FunctionName": name}, unnamed=named.unnamed)
