"""Whether a file is a mapping file or one of another format, and what it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mappings.documents import MAXIMUM_BYTES, parse_document, read_text, too_large
from mappings.errors import InvalidFile
from mappings.readers import FORMATS, Format, format_of
from mappings.readers import MAXIMUM_BYTES as MAXIMUM_FOREIGN_BYTES
from mappings.readers.elsewhere import other_way
from mappings.readers.loading import load_documents

SECTIONS = ("functions", "mappings")
"""The keys of a mapping file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeFile:
    document: object


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignFile:
    format: Format
    documents: Sequence[object]
    notes: Sequence[str] = ()
    """What the author should know of the text."""


def open_file(path: Path) -> NativeFile | ForeignFile:
    """Read a file, or raise InvalidFile with one sentence, without the path.

    A mapping file is read by rules of its own, which refuse what the other formats are full of. So a file is
    of another format only if it is recognised as such; whatever else is wrong with it, it is a mapping file.
    """
    text = read_text(path, MAXIMUM_FOREIGN_BYTES)
    size = len(text.encode())
    native, refusal = _native_file(text, size, path.suffix)
    if native is not None and format_of([native.document]) is None:
        if not _has_sections(native.document) and (way := other_way(text)) is not None:
            raise InvalidFile([way])
        return native
    repeated: list[str] = []
    try:
        documents = load_documents(text, repeated)
    except InvalidFile as error:
        is_foreign = any(each.hint.search(text) for each in FORMATS)
        raise (error if is_foreign or refusal is None else _refusal(text, refusal)) from None
    found = format_of(documents)
    if found is None:
        assert refusal is not None, "what both rules read is recognised by both or by neither"
        raise _refusal(text, refusal)
    if repeated and not found.last_key_counts:
        raise InvalidFile(repeated[:1])
    if size > found.maximum_bytes:
        raise too_large(found.maximum_bytes)
    if len(documents) > 1 and not found.several_documents:
        raise InvalidFile([f"the file holds {len(documents)} documents where {found.name} is one"])
    notes = tuple(f"{each}; the last one counts, as for CloudFormation" for each in repeated)
    return ForeignFile(format=found, documents=documents, notes=notes)


def _has_sections(document: object) -> bool:
    return isinstance(document, Mapping) and not document.keys().isdisjoint(SECTIONS)


def _refusal(text: str, refusal: InvalidFile) -> InvalidFile:
    way = other_way(text)
    return refusal if way is None else InvalidFile([way])


def _native_file(text: str, size: int, suffix: str) -> tuple[NativeFile | None, InvalidFile | None]:
    """Return the mapping file, or why the text is none."""
    if size > MAXIMUM_BYTES:
        return None, too_large(MAXIMUM_BYTES)
    try:
        return NativeFile(document=parse_document(text, suffix)), None
    except InvalidFile as refusal:
        return None, refusal
