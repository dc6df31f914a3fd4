"""Mappings that a CloudFormation template defines as resources; CDK's synthesized templates are such, too."""

from collections.abc import Iterable, Iterator, Mapping

from mappings.errors import shown
from mappings.limits import field_refusal
from mappings.readers.conversion import typed
from mappings.readers.found import FoundMapping, Problem, Question, Unresolved
from mappings.readers.intrinsics import ABSENT
from mappings.readers.template import Template

_TYPE = "AWS::Lambda::EventSourceMapping"
# Resources that stand for a template, each with the property that says where that is.
_NESTED = {"AWS::CloudFormation::Stack": "TemplateURL", "AWS::Serverless::Application": "Location"}
_MODULE = "::MODULE"
_LOOP = "Fn::ForEach::"
# Where CloudFormation's own tools show what it makes of a template.
_PROCESSED = (
    "take the template as CloudFormation processed it: aws cloudformation get-template "
    "--template-stage Processed --stack-name STACK"
)
_PROPERTIES = {"KmsKeyArn": "KMSKeyArn"}  # all others are spelled as in the API
_SPELLED = {member: name for name, member in _PROPERTIES.items()}
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
    if isinstance(document, Mapping) and "AWSTemplateFormatVersion" in document:
        return True
    return isinstance(resources, Mapping) and any(
        str(name).startswith("Fn::") or (isinstance(resource, Mapping) and "::" in str(resource.get("Type")))
        for name, resource in resources.items()
    )


def macro_problems(document: Mapping[str, object]) -> list[FoundMapping]:
    """Return a refusal of each macro that is not AWS's: it may change or add any mapping on deployment."""
    transform = document.get("Transform") or []
    macros = transform if isinstance(transform, list) else [transform]
    found = [
        FoundMapping(
            place="Transform", problems=(f"the macro {shown(macro)} is not supported; {_PROCESSED}",)
        )
        for macro in macros
        if not (isinstance(macro, str) and macro.startswith("AWS::"))
    ]
    if "Fn::Transform" in document:
        found.append(FoundMapping(place="Fn::Transform", problems=(not_seen("Fn::Transform"),)))
    return found


def mappings_in(template: Template, section: str = "Resources") -> list[FoundMapping]:
    """Return the mappings that stand in Resources on their own; `section` is where that is in the file."""
    found: list[FoundMapping] = []
    for logical_id, resource in template.resources.items():
        place = f"{section}.{logical_id}"
        if logical_id.startswith("Fn::"):
            found.append(FoundMapping(place=place, problems=(not_seen(place),)))
        elif isinstance(resource, Mapping):
            found += _mappings_of(template, place, resource)
    return found


def _mappings_of(template: Template, place: str, resource: Mapping[str, object]) -> Iterator[FoundMapping]:
    unseen = _unseen(place, resource)
    if unseen is None and resource.get("Type") != _TYPE:
        return
    try:
        if not is_wanted(template, resource):
            return
    except Unresolved as unresolved:
        # Whether there is one comes first: nothing else of it may be needed.
        yield FoundMapping(place=place, problems=unresolved.questions)
        return
    if unseen is not None:
        yield unseen
        return
    problems = [f"the attribute {key} is not supported" for key in resource if key not in _ATTRIBUTES]
    yield request_of(template, place, resource.get("Properties") or {}, problems)


def _unseen(place: str, resource: Mapping[str, object]) -> FoundMapping | None:
    """Return a refusal of a resource that stands for others, which may be mappings."""
    calls = [name for name in resource if name.startswith("Fn::")]
    if calls:
        return FoundMapping(place=place, problems=(not_seen(calls[0]),))
    kind = str(resource.get("Type"))
    if kind.endswith(_MODULE):
        return FoundMapping(place=place, problems=(f"the module {kind} may define mappings; {_PROCESSED}",))
    if kind not in _NESTED:
        return None
    match resource.get("Properties"):
        case {**properties} if isinstance(location := properties.get(_NESTED[kind]), str):
            pass
        case _:
            location = ""
    if not location or "://" in location:
        # CDK and SAM say where the template was when they prepared the resource.
        metadata = resource.get("Metadata")
        location = str(metadata.get("aws:asset:path", "")) if isinstance(metadata, Mapping) else ""
    if not location:
        text = f"{kind} may define mappings in another template; give that as a file, and --skip this one"
        return FoundMapping(place=place, problems=(text,))
    text = f"{_NESTED[kind]}: {location} may define mappings and is not read; give it as a file as well"
    return FoundMapping(place=place, problems=(text,), elsewhere=location)


def not_seen(call: str) -> str:
    """Return the refusal of a loop or an inclusion: it makes resources that nobody sees here."""
    return f"{call} is not supported; {_PROCESSED}"


def is_wanted(template: Template, resource: Mapping[str, object]) -> bool:
    """Return whether the Condition of a resource holds; raise Unresolved where that is not known."""
    try:
        return "Condition" not in resource or template.condition(str(resource["Condition"]))
    except Unresolved as unresolved:
        raise unresolved.within(".Condition") from None


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
    spelled = {**_SPELLED, **(spelled or {})}
    request: dict[str, object] = {}
    unnamed: str | None = None
    questions: list[Question] = []
    refusals: list[str] = []
    for name, expression in properties.items():
        member = _PROPERTIES.get(name, str(name))
        refusal = field_refusal(member)
        try:
            if name == "FunctionName":
                function = template.function_name_of(expression)
                value, unnamed = function.name, function.unnamed
            else:
                value = template.value_of(expression)
        except Unresolved as unresolved:
            questions += unresolved.within(f".{spelled.get(member, name)}").questions
            refusals += [refusal] if refusal is not None and template.is_something(expression) else []
            continue
        if value is not ABSENT:
            request[member] = _tags(value) if name == "Tags" else value
            refusals += [refusal] if refusal is not None and value not in ("", []) else []
    converted = typed(request)
    assert isinstance(converted, dict)
    # What will be refused whatever the answers are is not asked about.
    asked = refusals if questions and refusals else questions
    return FoundMapping(
        place=place,
        request=converted,
        problems=(*problems, *asked),
        unnamed=None if asked is refusals else unnamed,
        spelled=spelled,
    )


def _tags(value: object) -> object:
    """Return CloudFormation's list of tags as the API's object of them."""
    match value:
        case list() if all(isinstance(tag, Mapping) and tag.keys() == {"Key", "Value"} for tag in value):
            return {tag["Key"]: tag["Value"] for tag in value}
        case _:
            return value
