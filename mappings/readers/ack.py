"""Mappings that Kubernetes manifests define for the Lambda controller of ACK."""

from collections.abc import Iterator, Mapping, Sequence

from mappings.errors import shown
from mappings.readers.answers import FileAnswers
from mappings.readers.found import FoundMapping, Problem, Unresolved
from mappings.spelling import in_aws_spelling

_GROUP = "lambda.services.k8s.aws/"
_VERSION = f"{_GROUP}v1alpha1"
_KIND = "EventSourceMapping"
# A reference to another manifest, and the field that it stands for.
_REFERENCES = {"eventSourceRef": "eventSourceARN", "functionRef": "functionName"}


def is_manifest(document: object) -> bool:
    """Return whether a document is one of the Lambda controller, or a list that holds one."""
    return any(str(each.get("apiVersion", "")).startswith(_GROUP) for each in _objects([document]))


def mappings_in(documents: Sequence[object], answers: FileAnswers) -> Iterator[FoundMapping]:
    """Yield the mappings; objects of any other kind are not looked at."""
    for index, each in enumerate(_objects(documents)):
        version, kind = str(each.get("apiVersion", "")), each.get("kind")
        if kind != _KIND:
            continue
        metadata, spec = each.get("metadata"), each.get("spec")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        place = f"{_KIND} {name or f'number {index + 1}'}"
        if version != _VERSION:
            problem = f"apiVersion {version} is not supported; {_VERSION} is"
            yield FoundMapping(place=place, problems=(problem,))
        elif not isinstance(spec, Mapping):
            yield FoundMapping(place=place, problems=(f"spec must be an object, not {shown(spec)}",))
        else:
            yield _mapping(place, spec, answers)


def _objects(documents: Sequence[object]) -> Iterator[Mapping[str, object]]:
    for document in documents:
        if not isinstance(document, Mapping):
            continue
        items = document.get("items")
        if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
            yield from _objects(items)
        else:
            yield document


def _mapping(place: str, spec: Mapping[str, object], answers: FileAnswers) -> FoundMapping:
    request: dict[str, object] = {}
    problems: list[Problem] = []
    for name, value in spec.items():
        if name not in _REFERENCES:
            request[name] = value
            continue
        try:
            request[_REFERENCES[name]] = _referred(name, value, answers)
        except Unresolved as unresolved:
            problems.extend(unresolved.questions)
    renamed, misspelled = in_aws_spelling(request)
    return FoundMapping(place=place, request=renamed, problems=(*problems, *misspelled))


def _referred(name: str, value: object, answers: FileAnswers) -> object:
    match value:
        case {"from": {"name": str(other)}}:
            answer = answers.get(f"{name}.{other}")
        case _:
            raise Unresolved(f"{name} {shown(value)} is malformed")
    if answer is None:
        reason = "is resolved by the controller in its cluster"
        raise Unresolved.asking(f"{name} {other}", reason, f"{name}.{other}")
    return answer
