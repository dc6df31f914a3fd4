"""Mappings that a SAM template defines as events of its functions."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mappings.errors import shown
from mappings.readers.answers import FileAnswers
from mappings.readers.cloudformation import is_wanted, not_seen, request_of
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
        properties = template.properties_of(logical_id)
        for call in [name for name in properties if name.startswith("Fn::")]:
            place = f"Resources.{logical_id}.Properties"
            yield FoundMapping(place=place, problems=(not_seen(call),))
        events = properties.get("Events", {})
        if not isinstance(events, Mapping):
            problem = "Events must be an object whose names are written out"
            yield FoundMapping(place=f"Resources.{logical_id}", problems=(problem,))
            continue
        alias = properties.get("AutoPublishAlias", _global_alias(document))
        for name, event in events.items():
            place = f"Resources.{logical_id}.Events.{name}"
            kind = event.get("Type") if isinstance(event, Mapping) else None
            problems: list[Problem] = []
            if str(kind) in _PUSHED or not is_wanted(template, resource, problems):
                continue
            match str(kind):
                case "SNS":
                    found = _queue_of_topic(template, place, f"{logical_id}{name}Queue", event, problems)
                case known if known in _SOURCES:
                    found = _mapping(template, place, event, problems)
                case _:
                    found = FoundMapping(place=place, problems=(_refusal(name, kind),))
            if found is not None:
                yield _with_function(template, found, logical_id, alias, answers)


def _global_alias(document: Mapping[str, object]) -> object:
    match document.get("Globals"):
        case {"Function": {"AutoPublishAlias": alias}}:
            return alias
        case _:
            return None


def _refusal(name: object, kind: object) -> str:
    if str(name).startswith("Fn::"):
        return not_seen(str(name))
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


def _queue_of_topic(
    template: Template,
    place: str,
    made: str,
    event: Mapping[str, object],
    problems: list[Problem],
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
        return FoundMapping(place=place, problems=(*problems, *questions))
    if subscription is False or subscription is ABSENT:
        return None
    match subscription:
        case {**queue} if "QueueArn" in queue and queue.keys() <= {*_SUBSCRIPTION, "QueueUrl"}:
            renamed = {member: queue[name] for name, member in _SUBSCRIPTION.items() if name in queue}
            return request_of(
                template, place, renamed, problems, {"EventSourceArn": "SqsSubscription.QueueArn"}
            )
        case _:
            text = "SqsSubscription: true, or an object with QueueArn and QueueUrl is expected, not"
            return FoundMapping(place=place, problems=(*problems, f"{text} {shown(subscription)}"))


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
