"""What a set of files means together: which mappings, and which function each of them invokes.

Every problem of every file is collected, so that an author mends them in one go. Each sentence names the
file, the mapping or function, and the field.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from os.path import realpath  # Path.resolve() raises on a loop of links, which reading then tells better
from pathlib import Path

from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidFile, shown
from mappings.functions import Function, parse_function
from mappings.model import EventSourceMapping
from mappings.opening import ForeignFile, NativeFile, open_file
from mappings.readers.answers import Answer, Answers
from mappings.spelling import in_aws_spelling
from mappings.validation import mapping_from_request, request_errors, typed_request

_SUFFIXES = {".yaml", ".yml", ".json"}
_SECTIONS = ("functions", "mappings")


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingSet:
    """The mappings of some files, and the functions that the files define."""

    functions: Mapping[str, Function]
    mappings: tuple[EventSourceMapping, ...]
    file_of: Mapping[str, str] = field(default_factory=dict)
    """The file that defines each mapping, by UUID."""
    tags_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """The tags of each mapping that has any, by UUID."""
    requests: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """What a mapping file would say of each mapping, by the place where it stands; in AWS's spelling."""
    written_functions: Mapping[str, object] = field(default_factory=dict)
    """What a mapping file would say of each function."""


def read_mapping_files(
    paths: Iterable[Path | str], *, now: float, answers: Mapping[str, Answer] | None = None
) -> MappingSet:
    """Read files, and the files in directories, as one set; raise InvalidFile with every problem.

    `now`, in epoch seconds, is the time that no StartingPositionTimestamp may exceed. `answers` are values
    for what files of other formats refer to; one that no file asks for is a problem.
    """
    reading = _Reading(now, Answers(answers or {}))
    reading.read_paths([Path(path) for path in paths])
    reading.check_references()
    if reading.problems:
        raise InvalidFile(reading.problems)
    return MappingSet(
        functions=reading.functions,
        mappings=tuple(reading.mappings.values()),
        file_of=reading.file_of,
        tags_of=reading.tags_of,
        requests=reading.requests,
        written_functions=reading.written_functions,
    )


class _Reading:
    """One reading of a set of files: what was found, at which place, and what was wrong."""

    def __init__(self, now: float, answers: Answers) -> None:
        self.problems: list[str] = []
        self.functions: dict[str, Function] = {}
        self.mappings: dict[str, EventSourceMapping] = {}  # by place
        self.file_of: dict[str, str] = {}  # by UUID
        self.tags_of: dict[str, Mapping[str, str]] = {}  # by UUID
        self.requests: dict[str, Mapping[str, object]] = {}  # by place
        self.written_functions: dict[str, object] = {}
        self._now = now
        self._answers = answers
        self._unread = False
        self._defined: dict[str, str] = {}  # function name -> place, also of those that are not valid

    def read_paths(self, paths: list[Path]) -> None:
        seen: set[str] = set()
        for path in paths:
            try:
                files = _files_at(path)
            except InvalidFile as error:
                self._report(str(path), error.problems)
                continue
            for file in files:
                real = realpath(file)
                if real not in seen:
                    seen.add(real)
                    self._read_file(file)
        if not self._unread:  # what could not be read may be what refers to a name
            self.problems.extend(self._answers.unused())
        if not self.mappings and not self.functions and not self.problems:
            self._report(
                ", ".join(map(str, paths)) or "arguments", ["neither a mapping nor a function is given"]
            )

    def check_references(self) -> None:
        """Report what only all files together show: duplicates, and functions misused or misspelt."""
        places: dict[tuple[str, str], str] = {}
        for place, mapping in self.mappings.items():
            first = places.setdefault(mapping.link, place)
            if first != place:
                self._report(place, [f"EventSourceArn and FunctionName are the same as in {first}"])
            self._report(place, _qualifier_problems(mapping, self.functions))
        # An invalid mapping may be the one that uses it.
        if not self.problems:
            self._check_spelling()

    def _check_spelling(self) -> None:
        """A function may wait for mappings of the API, but not beside a name that is almost its own."""
        names = [FunctionName.parse(mapping.function_name) for mapping in self.mappings.values()]
        used = {name.name for name in names}
        undefined = sorted({name.name for name in names if name.is_local} - self.functions.keys())
        for name in sorted(self.functions.keys() - used):
            if near := get_close_matches(name, undefined, n=1):
                problem = f"no mapping has this FunctionName; {near[0]} is used and not defined"
                self._report(self._defined[name], [problem])

    def _report(self, place: str, problems: Iterable[str]) -> None:
        self.problems.extend(f"{place}: {problem}" for problem in problems)

    def _read_file(self, path: Path) -> None:
        try:
            match open_file(path):
                case ForeignFile() as file:
                    self._read_foreign(str(path), file)
                case NativeFile(document=document):
                    self._read_native(path, document)
        except InvalidFile as error:
            self._unread = True
            self._report(str(path), error.problems)

    def _read_foreign(self, path: str, file: ForeignFile) -> None:
        for found in file.format.mappings_in(file.documents, self._answers):
            if found.problems:
                self._report(f"{path}: {found.place}{_description(found.request)}", found.problems)
            else:
                self._read_mapping(path, f"{path}: {found.place}", found.request)

    def _read_native(self, path: Path, document: object) -> None:
        if not isinstance(document, Mapping):
            self._report(str(path), ["the file must hold an object with the keys functions and mappings"])
            return
        for key in document:
            if key not in _SECTIONS:
                self._report(
                    str(path), [f"{shown(key)} is unknown; a file has the keys functions and mappings"]
                )
        self._read_functions(str(path), document.get("functions", {}))
        self._read_mappings(str(path), document.get("mappings", []))

    def _read_functions(self, path: str, section: object) -> None:
        if not isinstance(section, Mapping):
            self._report(path, [f"functions must be an object of functions by name, not {shown(section)}"])
            return
        for name, value in section.items():
            place = f"{path}: functions.{_on_one_line(name)}"
            first = self._defined.setdefault(name, place)
            if first != place:
                self._report(place, [f"the function is defined twice; the first is {first}"])
                continue
            self.written_functions[name] = value
            try:
                self.functions[name] = parse_function(name, value)
            except InvalidFile as error:
                self._report(place, error.problems)

    def _read_mappings(self, path: str, section: object) -> None:
        if not isinstance(section, list):
            self._report(path, [f"mappings must be a list, not {shown(section)}"])
            return
        for index, value in enumerate(section):
            place = f"{path}: mappings[{index}]"
            if isinstance(value, Mapping):
                self._read_mapping(path, place, value)
            else:
                self._report(place, [f"a mapping must be an object, not {shown(value)}"])

    def _read_mapping(self, path: str, place: str, value: Mapping[str, object]) -> None:
        request, problems = in_aws_spelling(value)
        written_at = place
        place = f"{place}{_description(request)}"
        if not problems:
            errors = request_errors(request, now=self._now)
            problems = [sentence for error in errors for sentence in error.sentences()]
        if problems:
            self._report(place, problems)
        else:
            mapping = mapping_from_request(request, now=self._now)
            self.mappings[place] = mapping
            self.file_of[mapping.uuid] = path
            if tags := typed_request(request).get("Tags"):
                self.tags_of[mapping.uuid] = tags
            self.requests[written_at] = request


def _files_at(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        # A mounted ConfigMap holds its files twice, the second time behind names that begin with a dot.
        files = sorted(
            file for file in path.iterdir() if file.suffix in _SUFFIXES and not file.name.startswith(".")
        )
    except OSError as error:
        raise InvalidFile([f"the directory cannot be read: {error.strerror or error}"]) from error
    if not files:
        raise InvalidFile(["the directory has no file that ends in .yaml, .yml or .json"])
    return files


def _description(request: Mapping[str, object]) -> str:
    known = [_on_one_line(request[field]) for field in ("EventSourceArn", "FunctionName") if field in request]
    return f" ({' -> '.join(known)})" if known else ""


def _on_one_line(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else shown(value)


def _qualifier_problems(mapping: EventSourceMapping, functions: Mapping[str, Function]) -> Iterator[str]:
    if FunctionDirectory(functions).of_file(mapping.function_name) is None:
        name = FunctionName.parse(mapping.function_name)
        yield (
            f"FunctionName {name.qualified_name} has a qualifier that the function {name.name} in functions "
            "does not have; its aliases declare which ones there are"
        )
