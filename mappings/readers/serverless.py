"""Mappings that a serverless.yml defines as events of its functions, or as resources."""

import json
from collections.abc import Callable, Iterator, Mapping

from mappings.errors import shown
from mappings.readers import cloudformation
from mappings.readers.answers import FileAnswers
from mappings.readers.cloudformation import request_of
from mappings.readers.conversion import structured
from mappings.readers.folder import Folder
from mappings.readers.found import FoundMapping, Problem, Unresolved
from mappings.readers.template import Template
from mappings.readers.variables import COMPILED, Variables

# Lambda polls for these as well, and we do not.
_OTHER_MAPPINGS = {"activemq", "kafka", "msk", "rabbitmq", "documentdb"}
# Lambda is called by these; nothing polls for them.
_PUSHED = {
    "alb",
    "alexaSkill",
    "alexaSmartHome",
    "cloudFront",
    "cloudwatchEvent",
    "cloudwatchLog",
    "cognitoUserPool",
    "eventBridge",
    "http",
    "httpApi",
    "iot",
    "iotFleetProvisioning",
    "s3",
    "schedule",
    "sns",
    "websocket",
}
# Constructs of the plugin serverless-lift that are queues with a function to read them.
_CONSTRUCTS = {"queue"}
_COMMON = {
    "arn": "EventSourceArn",
    "batchSize": "BatchSize",
    "enabled": "Enabled",
    "filterPatterns": "FilterCriteria",
    "functionResponseType": "FunctionResponseTypes",
}
_PROPERTIES: Mapping[str, Mapping[str, str]] = {
    "sqs": {
        **_COMMON,
        "maximumBatchingWindow": "MaximumBatchingWindowInSeconds",
        "maximumConcurrency": "ScalingConfig",
        "provisionedPollers": "ProvisionedPollerConfig",
    },
    "stream": {
        **_COMMON,
        "batchWindow": "MaximumBatchingWindowInSeconds",
        "bisectBatchOnFunctionError": "BisectBatchOnFunctionError",
        "consumer": "consumer",
        "destinations": "DestinationConfig",
        "maximumRecordAgeInSeconds": "MaximumRecordAgeInSeconds",
        "maximumRetryAttempts": "MaximumRetryAttempts",
        "parallelizationFactor": "ParallelizationFactor",
        "startingPosition": "StartingPosition",
        "startingPositionTimestamp": "StartingPositionTimestamp",
        "tumblingWindowInSeconds": "TumblingWindowInSeconds",
        "type": "type",
    },
}
# What one property of an event says, and a member inside of another does for AWS.
_INSIDE = {
    "DestinationConfig.OnFailure.Destination": "destinations.onFailure",
    "ProvisionedPollerConfig.MaximumPollers": "provisionedPollers.max",
    "ProvisionedPollerConfig.MinimumPollers": "provisionedPollers.min",
    "ScalingConfig.MaximumConcurrency": "maximumConcurrency",
}
# The framework's own, which are not AWS's.
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "sqs": {"BatchSize": 10, "Enabled": True},
    "stream": {"BatchSize": 10, "Enabled": True, "StartingPosition": "TRIM_HORIZON"},
}
# With either the framework publishes an alias and makes it the target of every event.
_ALIASES = {"provisionedConcurrency": "provisioned", "snapStart": "snapstart"}


def is_service(document: object) -> bool:
    return isinstance(document, Mapping) and {"service", "provider"} <= document.keys()


def mappings_in(document: Mapping[str, object], answers: FileAnswers, folder: Folder) -> list[FoundMapping]:
    """Return the mappings of the functions' events, then those among the resources."""
    service = _Service(document, answers, folder)
    events = list(service.events())
    resources = cloudformation.mappings_in(service.template, "resources.Resources")
    return [*service.problems, *events, *resources]


class _Service:
    """One serverless.yml: its variables, its functions, and the template that its resources make."""

    def __init__(self, document: Mapping[str, object], answers: FileAnswers, folder: Folder) -> None:
        self.problems: list[FoundMapping] = []
        self._answers = answers
        self._variables = Variables(document, answers, folder)
        self._variables.mention(json.dumps(document, default=str))
        service = "self:service.name" if isinstance(document.get("service"), Mapping) else "self:service"
        prefix = f"${{{service}}}-${{sls:stage}}"
        self._functions = {
            key: self._merged(f"functions.{key}", function)
            for key, function in self._merged("functions", document.get("functions")).items()
        }
        for name, construct in self._merged("constructs", document.get("constructs")).items():
            if isinstance(construct, Mapping) and construct.get("type") in _CONSTRUCTS:
                kind = construct["type"]
                problem = f"a {kind} of serverless-lift defines a mapping and is not supported; {COMPILED}"
                self.problems.append(FoundMapping(place=f"constructs.{name}", problems=(problem,)))
        self._names = {
            key: function.get("name") or f"{prefix}-{key}" for key, function in self._functions.items()
        }
        self.template = Template(
            self._resources(document.get("resources")),
            answers,
            known={
                "AWS::Region": self._variables.region,
                "AWS::StackName": lambda: self._variables.text(prefix),
            },
            text_of=self._variables.resolve,
        )

    def events(self) -> Iterator[FoundMapping]:
        for key, function in self._functions.items():
            place = f"functions.{key}"
            for index, written in enumerate(self._list(f"{place}.events", function.get("events"))):
                yield from self._event(f"{place}.events[{index}]", written, key)

    def _event(self, place: str, written: object, key: str) -> Iterator[FoundMapping]:
        try:
            event = self._whole(written)
        except Unresolved as unresolved:
            yield FoundMapping(place=place, problems=unresolved.questions)
            return
        if isinstance(event, str):
            event = {event: None}
        if not isinstance(event, Mapping):
            yield FoundMapping(place=place, problems=(f"{shown(event)} is no event",))
            return
        for kind, value in event.items():
            if kind in _PROPERTIES:
                yield self._mapping(f"{place}.{kind}", kind, value, self._target(key))
            elif kind in _OTHER_MAPPINGS:
                problem = f"{kind} events are not supported; {' and '.join(_PROPERTIES)} events are"
                yield FoundMapping(place=place, problems=(problem,))
            elif kind not in _PUSHED:
                problem = (
                    f"{kind} is not an event of the framework; what a plugin makes of it is not known here"
                )
                yield FoundMapping(place=place, problems=(problem,))

    def _merged(self, place: str, section: object) -> dict[str, object]:
        """Return a section that may be an object, a list of objects to merge, or a variable for either."""
        merged: dict[str, object] = {}
        for part in self._list(place, section if isinstance(section, list) else [section]):
            try:
                value = self._whole(part)
            except Unresolved as unresolved:
                self.problems.append(FoundMapping(place=place, problems=unresolved.questions))
                continue
            if isinstance(value, Mapping):
                merged |= value
            elif value:
                self.problems.append(FoundMapping(place=place, problems=(f"{shown(value)} is no object",)))
        return merged

    def _list(self, place: str, section: object) -> list[object]:
        try:
            value = self._whole(section)
            if isinstance(value, list):
                return value
            problems: tuple[Problem, ...] = (f"{shown(value)} is no list",) if value else ()
        except Unresolved as unresolved:
            problems = unresolved.questions
        if problems:
            self.problems.append(FoundMapping(place=place, problems=problems))
        return []

    def _whole(self, value: object) -> object:
        """Return what a value stands for where a variable may be an object or a list; raise Unresolved."""
        return structured(self._variables.text(value)) if isinstance(value, str) else value

    def _resources(self, section: object) -> Mapping[str, object]:
        """Return the template of `resources`, with the functions that the framework adds to it."""
        template: dict[str, dict[str, object]] = {}
        for part in section if isinstance(section, list) else [section]:
            for name, content in self._merged("resources", part).items():
                if isinstance(content, Mapping):
                    template.setdefault(name, {}).update(content)
        for name in template.get("extensions", {}):
            if "EventSourceMapping" in name:
                problem = "an extension of an event source mapping is not supported"
                self.problems.append(FoundMapping(place=f"resources.extensions.{name}", problems=(problem,)))
        for name, resource in template.get("Resources", {}).items():
            if "EventSourceMapping" in name and isinstance(resource, Mapping) and "Type" not in resource:
                problem = "a change of a mapping that the framework makes is not supported"
                self.problems.append(FoundMapping(place=f"resources.Resources.{name}", problems=(problem,)))
        functions = {
            _logical_id(key): {"Type": "AWS::Lambda::Function", "Properties": {"FunctionName": name}}
            for key, name in self._names.items()
        }
        return {**template, "Resources": {**functions, **template.get("Resources", {})}}

    def _target(self, key: str) -> object:
        answer = self._answers.get(f"functions.{key}", own=True)
        if answer is not None:
            return answer
        function = self._functions[key]
        alias = next((alias for option, alias in _ALIASES.items() if function.get(option)), None)
        return self._names[key] if alias is None else f"{self._names[key]}:{alias}"

    def _mapping(self, place: str, kind: str, value: object, target: object) -> FoundMapping:
        try:
            written = self._whole(value)
        except Unresolved as unresolved:
            return FoundMapping(place=place, problems=unresolved.within(".arn").questions)
        if not isinstance(written, Mapping) or (len(written) == 1 and not written.keys() <= {"arn"}):
            written = {"arn": written}
        known = _PROPERTIES[kind]
        problems: list[Problem] = [
            f"{name} is not a property of a {kind} event" for name in written if name not in known
        ]
        properties: dict[str, object] = {"FunctionName": target, **_DEFAULTS[kind]}
        # In the order of the table: a consumer is read instead of its stream.
        for name in [name for name in known if written.get(name) is not None]:
            try:
                properties |= self._property(name, known[name], written[name])
            except Unresolved as unresolved:
                problems.extend(unresolved.within(f".{name}").questions)
        if "arn" not in written:
            problems.append("arn is missing")
        spelled = {member: name for name, member in known.items()} | _INSIDE
        return request_of(self.template, place, properties, problems, spelled)

    def _property(self, name: str, member: str, value: object) -> dict[str, object]:
        special = _SPECIAL.get(name)
        return {member: value} if special is None else special(value, self._variables)


def _logical_id(key: str) -> str:
    normal = key.replace("-", "Dash").replace("_", "Underscore")
    return f"{normal[:1].upper()}{normal[1:]}LambdaFunction"


def _filter_criteria(value: object, variables: Variables) -> dict[str, object]:
    patterns = structured(variables.resolve(value))
    if not isinstance(patterns, list):
        raise Unresolved(f"a list of patterns is expected, not {shown(patterns)}")
    # JSON keeps every function of CloudFormation in a pattern a text: the framework does not run them either.
    texts = [json.dumps(pattern, separators=(",", ":"), ensure_ascii=False) for pattern in patterns]
    return {"FilterCriteria": {"Filters": [{"Pattern": text} for text in texts]}}


def _destination_config(value: object, variables: Variables) -> dict[str, object]:
    match variables.text(value) if isinstance(value, str) else value:
        case {"onFailure": {"arn": arn, **other}} if other.keys() <= {"type"}:
            return {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
        case {"onFailure": str() as arn, **other} if not other:
            return {"DestinationConfig": {"OnFailure": {"Destination": arn}}}
        case malformed:
            raise Unresolved(f"onFailure with an ARN is expected, not {shown(malformed)}")


def _consumer(value: object, variables: Variables) -> dict[str, object]:
    consumer = variables.text(value) if isinstance(value, str) else value
    if consumer is True:
        raise Unresolved(
            "true makes the framework register a consumer, whose ARN is known only then; "
            "write that ARN instead"
        )
    return {"EventSourceArn": consumer} if consumer else {}


def _provisioned_pollers(value: object, variables: Variables) -> dict[str, object]:
    match variables.resolve(value):
        case False:
            return {}
        case {**counts} if counts and counts.keys() <= {"min", "max"}:
            names = {"min": "MinimumPollers", "max": "MaximumPollers"}
            return {"ProvisionedPollerConfig": {names[str(name)]: count for name, count in counts.items()}}
        case malformed:
            raise Unresolved(f"min and max are expected, not {shown(malformed)}")


_SPECIAL: Mapping[str, Callable[[object, Variables], dict[str, object]]] = {
    "filterPatterns": _filter_criteria,
    "functionResponseType": lambda value, _: {"FunctionResponseTypes": [value]},
    "maximumConcurrency": lambda value, _: {"ScalingConfig": {"MaximumConcurrency": value}},
    "provisionedPollers": _provisioned_pollers,
    "destinations": _destination_config,
    "consumer": _consumer,
    "type": lambda _, __: {},  # the ARN says it
}
