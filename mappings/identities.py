"""Which mapping of a file is which: a changed function is an update, and the position stays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, permutations

from mappings.arns import FunctionName
from mappings.errors import InvalidFile
from mappings.files import MappingSet
from mappings.model import EventSourceMapping
from mappings.validation import stable_uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A mapping that a file has, or had, under the UUID that keeps its positions."""

    uuid: str
    source: str
    """Its ARN."""
    function: str
    """ARN made of the name alone, which is the same wherever the file is read."""
    starting: str = ""
    """StartingPosition as the file had it; empty for a queue, and where it is not known."""
    standing: bool = True
    """Whether a file has it; one that left its file keeps its place."""


def known_of(mapping: EventSourceMapping) -> Known:
    """Return what is to be remembered of a mapping that stands in a file."""
    source = mapping.event_source
    name = FunctionName.parse(mapping.function_name)
    return Known(
        uuid=mapping.uuid,
        source=source.arn,
        function=name.arn(region=source.region, account=source.account, partition=source.partition),
        starting=_starting(mapping),
    )


def identified(found: MappingSet, known: Iterable[Known]) -> MappingSet:
    """Give each mapping of the files the UUID that it is known by, so that it keeps its positions.

    One whose source and function are known is the same. Where of a source one mapping left and one came, its
    function was changed. Of a queue, which has no position to be lost, several may change at once.

    Raises InvalidFile where it cannot be told which of the mappings of a stream became which.
    """
    by_source: dict[str, list[Known]] = {}
    for each in known:
        by_source.setdefault(each.source, []).append(each)
    problems: list[str] = []
    uuids: dict[str, str] = {}
    for source in {mapping.event_source.arn: None for mapping in found.mappings}:
        wanted = [mapping for mapping in found.mappings if mapping.event_source.arn == source]
        try:
            uuids |= _identified(wanted, by_source.get(source, []))
        except _AmbiguousError as error:
            problems.append(f"{found.file_of[wanted[0].uuid]}: {error}")
    if problems:
        raise InvalidFile(problems)
    return replace(
        found,
        mappings=tuple(replace(each, uuid=uuids[each.uuid]) for each in found.mappings),
        file_of={uuids[uuid]: file for uuid, file in found.file_of.items()},
        tags_of={uuids[uuid]: tags for uuid, tags in found.tags_of.items()},
    )


def remembered(found: Iterable[EventSourceMapping], known: Iterable[Known]) -> list[Known]:
    """Return what is known once the files are taken up: what they have, and what left them."""
    standing = [known_of(mapping) for mapping in found]
    uuids = {each.uuid for each in standing}
    return [*standing, *(replace(each, standing=False) for each in known if each.uuid not in uuids)]


class _AmbiguousError(Exception):
    """It cannot be told which mapping became which."""


def _identified(wanted: Sequence[EventSourceMapping], known: Sequence[Known]) -> Mapping[str, str]:
    """Return the UUID of each mapping of one source, by the UUID that its names alone give it."""
    standing = {each.function: each for each in known if each.standing}
    left = {each.function: each for each in known if not each.standing}
    functions = {mapping.uuid: known_of(mapping).function for mapping in wanted}
    same = {uuid: standing[name].uuid for uuid, name in functions.items() if name in standing}
    came = [mapping for mapping in wanted if mapping.uuid not in same]
    gone = [each for name, each in standing.items() if name not in functions.values()]
    changed = _changed(came, gone)
    uuids = {**same, **changed}
    taken = {each.uuid for each in known}
    for mapping in came:
        if mapping.uuid in uuids:
            continue
        back = left.get(functions[mapping.uuid])
        uuids[mapping.uuid] = back.uuid if back else _fresh(mapping, functions[mapping.uuid], taken)
    return uuids


def _changed(came: Sequence[EventSourceMapping], gone: Sequence[Known]) -> Mapping[str, str]:
    if came and len(came) + len(gone) > 2 and gone and came[0].event_source.kind.is_stream:  # one each
        raise _AmbiguousError(_ambiguous(came, gone))
    return {new.uuid: old.uuid for new, old in zip(came, gone, strict=False)}


def _fresh(mapping: EventSourceMapping, function: str, taken: set[str]) -> str:
    """Return the UUID of a mapping that nobody knows; another one may have its own by an earlier function."""
    candidates = (
        mapping.uuid if n == 0 else stable_uuid(mapping.event_source.arn, f"{function}\n{n}") for n in count()
    )
    return next(uuid for uuid in candidates if uuid not in taken)


def _ambiguous(came: Sequence[EventSourceMapping], gone: Sequence[Known]) -> str:
    before = [FunctionName.parse(each.function).qualified_name for each in gone]
    after = [FunctionName.parse(each.function_name).qualified_name for each in came]
    pairings = list(_pairings(before, after))
    more = "" if len(pairings) == 2 else f", or {len(pairings) - 2} others"  # those shown
    return (
        f"of the mappings of {came[0].event_source.arn} several functions changed at once, so that it cannot "
        f"be told which goes on from which position: {pairings[0]}; or {pairings[1]}{more}; change one at a "
        "time, and let each change be taken up before the next"
    )


def _pairings(gone: Sequence[str], came: Sequence[str]) -> Iterator[str]:
    """Yield every way in which mappings may have become others; few files change more than three at once."""
    gone, came = gone[:3], came[:3]
    short = min(len(gone), len(came))
    fewer, more = (gone, came) if len(gone) == short else (came, gone)
    for order in permutations(more, short):
        pairs = zip(fewer, order, strict=True) if fewer is gone else zip(order, fewer, strict=True)
        rest = [name for name in more if name not in order]
        word = "is new" if more is came else "is removed"
        yield ", ".join([*(f"{a} becomes {b}" for a, b in pairs), *(f"{name} {word}" for name in rest)])


def _starting(mapping: EventSourceMapping) -> str:
    if mapping.starting_position is None:
        return ""
    moment = mapping.starting_position_timestamp
    return (
        mapping.starting_position.value if moment is None else f"{mapping.starting_position.value}:{moment}"
    )
