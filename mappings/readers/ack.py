"""Mappings that Kubernetes manifests define for the Lambda controller of ACK."""

from collections.abc import Iterator, Mapping, Sequence

from mappings.errors import shown
from mappings.limits import field_refusal
from mappings.readers.answers import FileAnswers
from mappings.readers.found import FoundMapping, Problem, Unresolved
from mappings.spelling import camel_spelling, in_aws_spelling

_GROUP = "lambda.services.k8s.aws/"
_VERSION = f"{_GROUP}v1alpha1"
_KIND = "EventSourceMapping"
# A reference to another manifest, and the field that it stands for.
_REFERENCES = {"eventSourceRef": "eventSourceARN", "functionRef": "functionName"}
# Where an object that is referred to says what the field would hold: by itself, or completed by a cluster.
_ARN = ("status", "ackResourceMetadata", "arn")
_KNOWN: Mapping[str, Sequence[tuple[str, tuple[str, ...]]]] = {
    "functionRef": [("Function", ("spec", "name")), ("Alias", _ARN)],
    "eventSourceRef": [
        ("Queue", _ARN),
        ("Stream", _ARN),
        ("Table", ("status", "latestStreamARN")),
    ],
}
_Named = Mapping[tuple[str, str | None], Mapping[str, object]]


def is_manifest(document: object) -> bool:
    """Return whether a document is one of the Lambda controller, or a list that holds one."""
    return any(str(each.get("apiVersion", "")).startswith(_GROUP) for each in _objects([document]))


def mappings_in(documents: Sequence[object], answers: FileAnswers) -> Iterator[FoundMapping]:
    """Yield the mappings; an object of any other kind is looked at where a mapping refers to it."""
    objects = list(_objects(documents))
    named = {(str(each.get("kind")), _name(each)): each for each in objects}
    for index, each in enumerate(objects):
        version, kind = str(each.get("apiVersion", "")), each.get("kind")
        if kind != _KIND:
            continue
        spec = each.get("spec")
        place = f"{_KIND} {_name(each) or f'number {index + 1}'}"
        if version != _VERSION:
            problem = f"apiVersion {version} is not supported; {_VERSION} is"
            yield FoundMapping(place=place, problems=(problem,))
        elif not isinstance(spec, Mapping):
            yield FoundMapping(place=place, problems=(f"spec must be an object, not {shown(spec)}",))
        else:
            yield _mapping(place, spec, named, answers)


def _name(document: Mapping[str, object]) -> str | None:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return name if isinstance(name, str) else None


def _objects(documents: Sequence[object]) -> Iterator[Mapping[str, object]]:
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        items = document.get("items")
        if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
            yield from _objects(items)
        else:
            yield document


def _mapping(place: str, spec: Mapping[str, object], named: _Named, answers: FileAnswers) -> FoundMapping:
    request: dict[str, object] = {}
    problems: list[Problem] = []
    for name, value in spec.items():
        if name not in _REFERENCES:
            request[name] = value
            continue
        try:
            request[_REFERENCES[name]] = _referred(name, value, named, answers)
        except Unresolved as unresolved:
            problems.extend(unresolved.questions)
    renamed, misspelled = in_aws_spelling(request)
    refusals = [refusal for member in renamed if (refusal := field_refusal(member)) is not None]
    if problems and refusals:
        problems = [*refusals]
    return FoundMapping(
        place=place, request=renamed, problems=(*problems, *misspelled), spelled=camel_spelling()
    )


def _referred(name: str, value: object, named: _Named, answers: FileAnswers) -> object:
    match value:
        case {"from": {"name": str(other)}}:
            answer = answers.get(f"{name}.{other}")
        case _:
            raise Unresolved(f"{name} {shown(value)} is malformed")
    known = [_known(named[kind, other], path) for kind, path in _KNOWN[name] if (kind, other) in named]
    found = next((each for each in known if each is not None), None)
    if answer is None and found is None:
        reason = "is resolved by the controller in its cluster"
        raise Unresolved.asking(f"{name} {other}", reason, f"{name}.{other}")
    return found if answer is None else answer


def _known(document: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = document
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
