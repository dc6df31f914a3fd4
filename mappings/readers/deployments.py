"""Answers that the tools of a deployment print or keep: what AWS says of a stack, and SAM's own settings."""

import shlex
import tomllib
from collections.abc import Iterator, Mapping

from mappings.errors import InvalidFile, shown
from mappings.readers.resources import KINDS

SAM_CONFIG_SUFFIX = ".toml"
_DEFAULT_ENVIRONMENT = "default"
_SECTIONS = ("global", "build", "package", "sync", "deploy")

Known = Iterator[tuple[str, object, bool]]
"""Names with their values; the third says whether it is what the name stands for in the end."""


def is_of_stacks(document: object) -> bool:
    """Return whether a document is what `aws cloudformation` prints of stacks or of their resources."""
    return isinstance(document, Mapping) and any(
        isinstance(document.get(key), list) for key in ("Stacks", "StackResources", "StackResourceSummaries")
    )


def known_of_stacks(document: Mapping[str, object]) -> Known:
    """Yield what describe-stacks, describe-stack-resources or list-stack-resources say of one stack."""
    for stack in _objects(document.get("Stacks")):
        yield from _of_stack(stack)
    resources = document.get("StackResources", document.get("StackResourceSummaries"))
    for resource in _objects(resources):
        yield from _of_stack(resource)
        yield from _of_resource(resource)


def _of_stack(stack: Mapping[str, object]) -> Known:
    for name in ("StackName", "StackId"):
        if name in stack:
            yield f"AWS::{name}", stack[name], True
    parts = str(stack.get("StackId", "")).split(":")
    if len(parts) == 6:  # arn:aws:cloudformation:REGION:ACCOUNT:stack/...
        yield "AWS::Partition", parts[1], True
        yield "AWS::Region", parts[3], True
        yield "AWS::AccountId", parts[4], True
    for parameter in _objects(stack.get("Parameters")):
        resolved = parameter.get("ResolvedValue")
        value = parameter.get("ParameterValue") if resolved is None else resolved
        # What was not to be shown is stars.
        if value is not None and str(value).strip("*"):
            yield str(parameter.get("ParameterKey")), value, resolved is not None
    for output in _objects(stack.get("Outputs")):
        if "ExportName" in output:
            yield f"ImportValue.{output['ExportName']}", output.get("OutputValue"), True


def _of_resource(resource: Mapping[str, object]) -> Known:
    logical_id, physical_id = str(resource.get("LogicalResourceId")), resource.get("PhysicalResourceId")
    kind = KINDS.get(str(resource.get("ResourceType")))
    if not isinstance(physical_id, str) or resource.get("ResourceType") == "AWS::Lambda::Alias":
        return  # an alias follows from its function, which a mapping file may define
    yield logical_id, physical_id, True
    if kind is not None and kind.reference != "name" and kind.name_attribute is not None:
        # The ID of a queue is its URL, that of a topic its ARN: both end in the name.
        yield f"{logical_id}.{kind.name_attribute}", physical_id.replace("/", ":").rpartition(":")[2], True


def known_of_sam_config(text: str, environment: str | None) -> Known:
    """Yield what `sam deploy` would be given; raise InvalidFile with one sentence."""
    try:
        config = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidFile([f"not TOML: {error}"]) from error
    chosen = environment or _DEFAULT_ENVIRONMENT
    section = config.get(chosen)
    if not isinstance(section, dict):
        others = [name for name, value in config.items() if isinstance(value, dict)]
        raise InvalidFile([f"there is no environment {chosen}; FILE:NAME chooses one of {', '.join(others)}"])
    settings: dict[str, object] = {}
    for command in _SECTIONS:
        parameters = section.get(command, {})
        settings |= parameters.get("parameters", {}) if isinstance(parameters, dict) else {}
    for name, pseudo in (("stack_name", "AWS::StackName"), ("region", "AWS::Region")):
        if name in settings:
            yield pseudo, settings[name], True
    yield from _overrides(settings.get("parameter_overrides", []))


def _overrides(written: object) -> Known:
    """Yield the pairs of parameter_overrides: one text, or a list of texts; `sam` takes two spellings."""
    texts = [written] if isinstance(written, str) else written
    if not isinstance(texts, list):
        raise InvalidFile([f"parameter_overrides must be a text or a list, not {shown(written)}"])
    for text in texts:
        try:
            pairs = shlex.split(text) if isinstance(written, str) else [str(text)]
        except ValueError as error:
            raise InvalidFile([f"parameter_overrides cannot be read: {error}"]) from error
        for pair in pairs:
            key, _, value = pair.partition("=")
            if key == "ParameterKey" and ",ParameterValue=" in value:
                key, _, value = value.partition(",ParameterValue=")
            if not key or "=" not in pair:
                raise InvalidFile([f"parameter_overrides: {shown(pair)} is not NAME=VALUE"])
            yield key, _unquoted(value), False


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
