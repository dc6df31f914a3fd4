"""Mappings as the AWS CLI prints them, or takes them; the latter is what `poller export` prints."""

from collections.abc import Iterator, Mapping, Sequence

from mappings.errors import shown
from mappings.readers.found import FoundMapping
from mappings.wire import to_request

_LIST = "EventSourceMappings"
_LEAVING = "Deleting"


def is_answer_or_input(document: object) -> bool:
    """Return whether a document is a list of mappings, one of them, or the input that makes them."""
    match document:
        case {"EventSourceMappings": list()}:
            return True
        case [Mapping() as first, *_]:
            return _is_mapping(first)
        case Mapping():
            return _is_mapping(document)
        case _:
            return False


def _is_mapping(document: Mapping[str, object]) -> bool:
    return "EventSourceArn" in document and not document.keys().isdisjoint({"FunctionArn", "FunctionName"})


def mappings_in(documents: Sequence[object]) -> Iterator[FoundMapping]:
    """Yield the mappings; one that AWS is deleting is left out."""
    for place, written in _placed(documents[0]):
        if not isinstance(written, Mapping):
            problem = f"a mapping must be an object, not {shown(written)}"
            yield FoundMapping(place=place, problems=(problem,))
        elif "FunctionArn" not in written:
            yield FoundMapping(place=place, request=written)
        elif written.get("State") == _LEAVING:
            yield FoundMapping(place=place, left_out="AWS is deleting it")
        else:
            yield FoundMapping(place=place, request=to_request(written))


def _placed(document: object) -> Iterator[tuple[str, object]]:
    if isinstance(document, Mapping) and _LIST not in document:
        yield "the mapping", document
        return
    listed = document.get(_LIST) if isinstance(document, Mapping) else document
    assert isinstance(listed, list)
    for index, written in enumerate(listed):
        yield f"{_LIST if isinstance(document, Mapping) else 'mapping'}[{index}]", written
