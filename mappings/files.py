"""What a set of files means together: which mappings, and which function each of them invokes.

Every problem of every file is collected, so that an author mends them in one go. Each sentence names the
file, the mapping or function, and the field.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from os.path import realpath  # Path.resolve() raises on a loop of links, which reading then tells better
from pathlib import Path
from shlex import quote

from mappings.arns import MAXIMUM_FUNCTION_NAME, FunctionName
from mappings.directory import FunctionDirectory
from mappings.documents import parse_document, read_text
from mappings.errors import InvalidFile, shown
from mappings.functions import Function, parse_function
from mappings.home import Home
from mappings.model import EventSourceMapping
from mappings.opening import SECTIONS, ForeignFile, NativeFile, open_file
from mappings.readers.answers import Answers, Given
from mappings.readers.folder import Folder
from mappings.readers.found import Problem, Question
from mappings.spelling import in_aws_spelling
from mappings.validation import (
    mapping_from_request,
    request_errors,
    typed_request,
)
from mappings.wire import without_shown_blanks

_SUFFIXES = {".yaml", ".yml", ".json"}
_WORD = re.compile(r"\b[A-Z][A-Za-z]+\b")


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
    included: tuple[str, ...] = ()
    """Other files that these took in."""
    notes: tuple[str, ...] = ()
    """What the authors should know, though everything was read; each with its place."""
    skipped: tuple[str, ...] = ()
    """The places that were left out as asked, each with its file."""


def read_mapping_files(
    paths: Iterable[Path | str], *, now: float, given: Given | None = None, home: Home | None = None
) -> MappingSet:
    """Read files, and the files in directories, as one set; raise InvalidFile with every problem.

    `now`, in epoch seconds, is the time that no StartingPositionTimestamp may exceed. `given` has values
    for what files of other formats refer to, and places to leave out; one that no file has is a problem.
    `home` is where the functions are that the files define.
    """
    reading = _Reading(now, given or Given(), home or Home())
    reading.read_paths([Path(path) for path in paths])
    reading.check_references()
    if problems := reading.sentences():
        raise InvalidFile(problems)
    return MappingSet(
        functions=reading.functions,
        mappings=tuple(reading.mappings.values()),
        file_of=reading.file_of,
        tags_of=reading.tags_of,
        requests=reading.requests,
        notes=tuple(reading.notes()),
        included=tuple(reading.included),
        skipped=tuple(f"{file}: {place}" for place, files in reading.skipped.items() for file in files),
        written_functions=reading.written_functions,
    )


def file_names(paths: Iterable[Path | str]) -> list[str]:
    """Return what `--set FILE:NAME` may call the files: the arguments, and what their directories hold."""
    names = [str(path) for path in paths]
    for path in paths:
        try:
            names += [str(file) for file in _files_at(Path(path))]
        except InvalidFile:
            continue  # reading it says so
    return names


class _Reading:
    """One reading of a set of files: what was found, at which place, and what was wrong."""

    def __init__(self, now: float, given: Given, home: Home) -> None:
        self.functions: dict[str, Function] = {}
        self._directory = FunctionDirectory(self.functions, home=home)
        self.mappings: dict[str, EventSourceMapping] = {}  # by place
        self.file_of: dict[str, str] = {}  # by UUID
        self.tags_of: dict[str, Mapping[str, str]] = {}  # by UUID
        self.requests: dict[str, Mapping[str, object]] = {}  # by place
        self.written_functions: dict[str, object] = {}
        self._now = now
        self._answers = Answers(given.answers)
        self._skip = given.skip
        self.skipped: dict[str, list[str]] = {}  # place -> files
        self._problems: list[_Reported] = []
        self._notes: list[_Reported] = []
        self.included: list[str] = []
        self._unnamed: dict[str, str] = {}  # logical ID that stands for a function -> file
        self._unread = False
        self._seen: set[str] = set()
        self._order: dict[str, int] = {}  # file -> its place among all
        self._defined: dict[str, str] = {}  # function name -> place, also of those that are not valid

    def read_paths(self, paths: list[Path]) -> None:
        files = [file for argument in paths for file in self._open(argument)]
        # Functions first, of all files: which names there are decides what is asked for.
        for file in files:
            if isinstance(file.content, NativeFile):
                self._read_native_functions(file.path, file.content.document)
        for file in files:
            match file.content:
                case ForeignFile() as content:
                    self._read_foreign(file, content)
                case NativeFile(document=Mapping() as document):
                    self._read_mappings(file.path, document.get("mappings", []))
        if not self._unread:  # what could not be read may be what refers to a name
            for problem in (*self._answers.problems(), *self._skip_problems()):
                self._problems.append(_Reported(problem=problem))
        if not self.mappings and not self.functions and not self._problems and not self.skipped:
            self._report(
                ", ".join(map(str, paths)) or "arguments", ["neither a mapping nor a function is given"]
            )

    def sentences(self) -> list[str]:
        """Return every problem as one sentence: file by file, then those of the set as a whole."""
        by_file = sorted(self._problems, key=lambda each: self._order.get(each.file, len(self._order)))
        return [reported.sentence(self._answers) for reported in by_file]

    def check_references(self) -> None:
        """Report what only all files together show: duplicates, and functions misused or misspelt."""
        places: dict[tuple[str, str], str] = {}
        for place, mapping in self.mappings.items():
            first = places.setdefault(mapping.link, place)
            if first != place:
                self._report(place, [f"EventSourceArn and FunctionName are the same as in {first}"])
            self._report(place, _function_problems(mapping, self._directory))
        # An invalid mapping may be the one that uses it.
        if not self._problems:
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

    def _report(self, place: str, problems: Iterable[Problem], file: str = "") -> None:
        self._problems.extend(_Reported(place=place, problem=problem, file=file) for problem in problems)

    def _open(self, argument: Path) -> Iterator["_OpenFile"]:
        try:
            paths = _files_at(argument)
        except InvalidFile as error:
            self._order[str(argument)] = len(self._order)
            self._report(str(argument), error.problems, str(argument))
            return
        for path in paths:
            real = realpath(path)
            if real in self._seen:
                continue
            self._seen.add(real)
            self._order[str(path)] = len(self._order)
            try:
                yield _OpenFile(path=str(path), argument=str(argument), content=open_file(path))
            except InvalidFile as error:
                self._unread = True
                self._report(str(path), error.problems, str(path))

    def _read_foreign(self, file: "_OpenFile", content: ForeignFile) -> None:
        answers = self._answers.of_file(file.path, file.argument)
        self._note(file.path, file.path, content.notes)
        folder = Folder(Path(file.path).parent)
        for found in content.format.mappings_in(content.documents, answers, folder):
            place = f"{file.path}: {found.place}"
            if found.elsewhere is not None and self._is_read(file.path, found.elsewhere):
                continue
            if self._is_skipped(file.path, found.place):
                continue
            if found.left_out is not None:
                self._note(place, file.path, (f"left out: {found.left_out}",))
                continue
            problems = [*found.problems, *self._name_problems(file.path, found.unnamed)]
            if problems:
                self._report(f"{place}{_description(found.request)}", problems, file.path)
            else:
                self._note(place, file.path, found.notes)
                self._read_mapping(file.path, place, _without_empty_destination(found.request), found.spelled)

        self.included.extend(folder.files)

    def _note(self, place: str, file: str, notes: Iterable[Problem]) -> None:
        self._notes.extend(_Reported(place=place, problem=note, file=file) for note in notes)

    def notes(self) -> list[str]:
        return [note.sentence(self._answers) for note in self._notes]

    def _is_skipped(self, path: str, place: str) -> bool:
        """Return whether a place is left out, and remember so."""
        if self._skip.isdisjoint({place, f"{path}: {place}", f"{path}:{place}"}):
            return False
        files = self.skipped.setdefault(place, [])
        if path not in files:
            files.append(path)
        return True

    def _skip_problems(self) -> Iterator[str]:
        for skip in sorted(self._skip):
            files = [
                file
                for place, files in self.skipped.items()
                for file in files
                if skip in {place, f"{file}: {place}", f"{file}:{place}"}
            ]
            if not files:
                yield f"--skip {skip}: no file that was read has a mapping at this place"
            elif len(files) > 1:
                flags = " and ".join(f"--skip {quote(f'{file}:{skip}')}" for file in files)
                yield f"--skip {skip}: {' and '.join(files)} have this place; {flags} say which"

    def _is_read(self, path: str, other: str) -> bool:
        return realpath(Path(path).parent / other) in self._seen

    def _name_problems(self, path: str, logical_id: str | None) -> Iterator[Problem]:
        """Ask for the name of a function that has none: AWS never gives it its logical ID."""
        if logical_id is None:
            return
        text = f"{logical_id} is the logical ID of a function without a FunctionName"
        if logical_id in self._defined:
            first = self._unnamed.setdefault(logical_id, path)
            if first == path:
                return
            reason = f"as in {first}: one name would stand for two functions"
        elif len(logical_id) > MAXIMUM_FUNCTION_NAME:
            reason = f"and longer than a function's name may be, {MAXIMUM_FUNCTION_NAME} characters"
        else:
            reason = "and no file that was read defines a function of that name"
        yield Question(text=f"{text}, {reason}", names=(logical_id,), wanted="NAME")

    def _read_native_functions(self, path: str, document: object) -> None:
        if not isinstance(document, Mapping):
            self._report(path, ["the file must hold an object with the keys functions and mappings"], path)
            return
        for key in document:
            if key not in SECTIONS:
                problem = f"{shown(key)} is unknown; a file has the keys functions and mappings"
                self._report(path, [problem], path)
        self._read_functions(path, document.get("functions", {}))

    def _read_functions(self, path: str, section: object) -> None:
        if not isinstance(section, Mapping):
            self._report(
                path, [f"functions must be an object of functions by name, not {shown(section)}"], path
            )
            return
        for name, value in section.items():
            place = f"{path}: functions.{_on_one_line(name)}"
            first = self._defined.setdefault(name, place)
            if first != place:
                self._report(place, [f"the function is defined twice; the first is {first}"], path)
                continue
            self.written_functions[name] = value
            try:
                self.functions[name] = parse_function(name, value)
            except InvalidFile as error:
                self._report(place, error.problems, path)

    def _read_mappings(self, path: str, section: object) -> None:
        if not isinstance(section, list):
            self._report(path, [f"mappings must be a list, not {shown(section)}"], path)
            return
        for index, value in enumerate(section):
            place = f"{path}: mappings[{index}]"
            if self._is_skipped(path, f"mappings[{index}]"):
                continue
            if isinstance(value, Mapping):
                self._read_mapping(path, place, value)
            else:
                self._report(place, [f"a mapping must be an object, not {shown(value)}"], path)

    def _read_mapping(
        self, path: str, place: str, value: Mapping[str, object], spelled: Mapping[str, str] | None = None
    ) -> None:
        request, problems = in_aws_spelling(value)
        request = dict(without_shown_blanks(request))
        written_at = place
        place = f"{place}{_description(request)}"
        if not problems:
            errors = request_errors(request, now=self._now)
            problems = [sentence for error in errors for sentence in error.sentences()]
        if problems:
            self._report(place, [_in_the_words_of(spelled or {}, problem) for problem in problems], path)
        else:
            mapping = mapping_from_request(request, now=self._now, directory=self._directory)
            self.mappings[place] = mapping
            self.file_of[mapping.uuid] = path
            if tags := typed_request(request).get("Tags"):
                self.tags_of[mapping.uuid] = tags
            self.requests[written_at] = request


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenFile:
    """A file, and the argument through which it is read: itself, or its directory."""

    path: str
    argument: str
    content: NativeFile | ForeignFile


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reported:
    """A problem, where it is, and in which file."""

    problem: Problem
    place: str = ""
    file: str = ""

    def sentence(self, answers: Answers) -> str:
        problem = self.problem
        if isinstance(problem, Question):
            problem = problem.sentence(partial(answers.flag_name, self.file))
        return f"{self.place}: {problem}" if self.place else problem


def _files_at(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        if _is_cloud_assembly(path):
            return sorted([*path.glob("*.template.json"), *path.glob("assembly-*/*.template.json")])
        # A mounted ConfigMap holds its files twice, the second time behind names that begin with a dot.
        files = sorted(
            file for file in path.iterdir() if file.suffix in _SUFFIXES and not file.name.startswith(".")
        )
    except OSError as error:
        raise InvalidFile([f"the directory cannot be read: {error.strerror or error}"]) from error
    if not files:
        raise InvalidFile(["the directory has no file that ends in .yaml, .yml or .json"])
    return files


def _is_cloud_assembly(folder: Path) -> bool:
    """Return whether a directory is what `cdk synth` makes: templates, and much that is no template."""
    try:
        manifest = parse_document(read_text(folder / "manifest.json"), ".json")
    except InvalidFile:
        return False
    return isinstance(manifest, Mapping) and {"version", "artifacts"} <= manifest.keys()


def _in_the_words_of(spelled: Mapping[str, str], problem: str) -> str:
    """Return a problem with the members that it names as the author spells them."""
    for path in [name for name in spelled if "." in name]:
        problem = problem.replace(path, spelled[path])
    return _WORD.sub(lambda found: spelled.get(found[0], found[0]), problem)


def _without_empty_destination(request: Mapping[str, object]) -> Mapping[str, object]:
    """Return a request without an OnFailure that names nothing, as AWS itself shows a mapping without one."""
    match request.get("DestinationConfig"):
        case {"OnFailure": on_failure, **others} if not on_failure and not others:
            return {name: value for name, value in request.items() if name != "DestinationConfig"}
        case _:
            return request


def _description(request: Mapping[str, object]) -> str:
    known = [_on_one_line(request[field]) for field in ("EventSourceArn", "FunctionName") if field in request]
    return f" ({' -> '.join(known)})" if known else ""


def _on_one_line(value: object) -> str:
    return value if isinstance(value, str) and value.isprintable() else shown(value)


def _function_problems(mapping: EventSourceMapping, directory: FunctionDirectory) -> Iterator[str]:
    name = FunctionName.parse(mapping.function_name)
    if not directory.is_here(name):
        own = directory.home.arn(FunctionName(name=name.name))
        yield (
            f"FunctionName {mapping.function_name} is a function elsewhere, and functions defines "
            f"{name.name}, whose ARN is {own}: write {name.qualified_name}, or take {name.name} out of "
            "functions"
        )
    elif directory.of_file(mapping.function_name) is None:
        yield (
            f"FunctionName {name.qualified_name} has a qualifier that the function {name.name} in functions "
            "does not have; its aliases declare which ones there are"
        )
