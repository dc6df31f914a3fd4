"""Mappings that a CloudFormation template defines as resources; CDK's synthesized templates are such, too."""

from collections.abc import Iterable, Mapping

from mappings.errors import shown
from mappings.readers.conversion import typed
from mappings.readers.found import FoundMapping, Problem, Unresolved
from mappings.readers.intrinsics import ABSENT
from mappings.readers.template import Template

_TYPE = "AWS::Lambda::EventSourceMapping"
_PROPERTIES = {"KmsKeyArn": "KMSKeyArn"}  # all others are spelled as in the API
# What a resource may say besides its properties. None of it changes what the mapping is; Condition decides
# whether there is one.
_ATTRIBUTES = {
    "Type",
    "Properties",
    "Condition",
    "DependsOn",
    "Metadata",
    "DeletionPolicy",
    "UpdateReplacePolicy",
}


def is_template(document: object) -> bool:
    """Return whether a document is a template: every resource of one has a type such as AWS::SQS::Queue."""
    resources = document.get("Resources") if isinstance(document, Mapping) else None
    return isinstance(resources, Mapping) and any(
        isinstance(resource, Mapping) and "::" in str(resource.get("Type")) for resource in resources.values()
    )


def macro_problems(document: Mapping[str, object]) -> list[FoundMapping]:
    """Return a refusal of each macro that is not AWS's: it may change or add any mapping on deployment."""
    transform = document.get("Transform", [])
    macros = transform if isinstance(transform, list) else [transform]
    return [
        FoundMapping(place="Transform", problems=(f"the macro {shown(macro)} is not supported",))
        for macro in macros
        if not (isinstance(macro, str) and macro.startswith("AWS::"))
    ]


def mappings_in(template: Template, section: str = "Resources") -> list[FoundMapping]:
    """Return the mappings that stand in Resources on their own; `section` is where that is in the file."""
    found: list[FoundMapping] = []
    for logical_id, resource in template.resources.items():
        place = f"{section}.{logical_id}"
        if logical_id.startswith("Fn::"):
            # A loop or an inclusion makes resources that nobody here can see.
            found.append(FoundMapping(place=place, problems=(f"{logical_id} is not supported",)))
        elif isinstance(resource, Mapping) and resource.get("Type") == _TYPE:
            problems: list[Problem] = [
                f"the attribute {key} is not supported" for key in resource if key not in _ATTRIBUTES
            ]
            if is_wanted(template, resource, problems):
                properties = resource.get("Properties", {})
                found.append(request_of(template, place, properties, problems))
    return found


def is_wanted(template: Template, resource: Mapping[str, object], problems: list[Problem]) -> bool:
    """Return whether the Condition of a resource holds; what is not known of it is added to its problems."""
    try:
        return "Condition" not in resource or template.condition(str(resource["Condition"]))
    except Unresolved as unresolved:
        problems.extend(unresolved.within(".Condition").questions)
        return True


def request_of(
    template: Template,
    place: str,
    properties: object,
    problems: Iterable[Problem],
    spelled: Mapping[str, str] | None = None,
) -> FoundMapping:
    """Return the request that the properties of a mapping make; an unknown one is left for validation.

    `spelled` says what the author calls a property, where that is not its name here.
    """
    problems = list(problems)
    if not isinstance(properties, Mapping):
        return FoundMapping(place=place, problems=(*problems, "Properties must be an object"))
    request: dict[str, object] = {}
    unnamed: str | None = None
    for name, expression in properties.items():
        try:
            if name == "FunctionName":
                function = template.function_name_of(expression)
                value, unnamed = function.name, function.unnamed
            else:
                value = template.value_of(expression)
        except Unresolved as unresolved:
            problems.extend(unresolved.within(f".{(spelled or {}).get(name, name)}").questions)
            continue
        if value is not ABSENT:
            member = _PROPERTIES.get(name, str(name))
            request[member] = _tags(value) if name == "Tags" else value
    converted = typed(request)
    assert isinstance(converted, dict)
    return FoundMapping(place=place, request=converted, problems=tuple(problems), unnamed=unnamed)


def _tags(value: object) -> object:
    """Return CloudFormation's list of tags as the API's object of them."""
    match value:
        case list() if all(isinstance(tag, Mapping) and tag.keys() == {"Key", "Value"} for tag in value):
            return {tag["Key"]: tag["Value"] for tag in value}
        case _:
            return value
