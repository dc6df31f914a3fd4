"""What the user says beside the files: values for names to which a file refers without holding them."""

import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mappings.documents import read_text
from mappings.errors import InvalidFile, shown
from mappings.readers.deployments import (
    SAM_CONFIG_SUFFIX,
    Known,
    is_of_stacks,
    known_of_sam_config,
    known_of_stacks,
)
from mappings.readers.loading import load_documents

_SET = re.compile(r"(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)
_PARAMETERS_FORM = (
    "the file must hold an object of values by name, or a list of objects with ParameterKey and "
    "ParameterValue alone"
)


# Known of every deployment, whether a file refers to them or not.
_PSEUDO = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId",
        "NotificationARNs",
        "Partition",
        "Region",
        "StackId",
        "StackName",
        "URLSuffix",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A value for a name; `origin` says where it was given.

    `direct` is what the name stands for in the end, and so may answer for whatever a file refers to.
    Otherwise it is what a deployment would be given: the value of a parameter.
    """

    value: object
    origin: str
    direct: bool
    name: str
    file: str | None = None
    """The one file for which it is meant, as the arguments spell it; None for every file."""
    optional: bool = False
    """Whether it may go unused: what is known of a stack is more than any file asks for."""

    @property
    def key(self) -> str:
        return self.name if self.file is None else f"{self.file}:{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user says beside the files."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()
    """Places of mappings to leave out, as problems name them: with the file before it, or without."""


class Answers:
    """The answers as one reading uses them: it remembers which of them each file asked for.

    A parameter means the same in every file. A name that is a file's own, such as a logical ID, does not:
    where two files have it, an answer must say for which of them it is.
    """

    def __init__(self, given: Mapping[str, Answer]) -> None:
        self._given = given
        self._asked: dict[str, dict[str, bool]] = {}  # name -> files, each with whether it is the file's own
        self._used: set[str] = set()  # keys of answers

    def of_file(self, *spellings: str) -> "FileAnswers":
        """Return the answers for one file; `spellings` are what `--set FILE:NAME` may call it."""
        return FileAnswers(self, spellings)

    def find(self, name: str, spellings: Sequence[str], *, own: bool) -> Answer | None:
        """Return what answers for a name in one file, and remember that the file asks."""
        files = self._asked.setdefault(name, {})
        files[spellings[0]] = files.get(spellings[0], False) or own
        for file in (*spellings, None):
            key = name if file is None else f"{file}:{name}"
            answer = self._given.get(key)
            if answer is not None and answer.file == file:
                self._used.add(key)
                return answer
        return None

    def mention(self, is_mentioned: Callable[[str], bool], spellings: Sequence[str]) -> None:
        """Take the answers for names that one file refers to for used, whatever becomes of the references."""
        self._used.update(
            key
            for key, answer in self._given.items()
            if answer.file in (*spellings, None) and is_mentioned(answer.name)
        )

    def flag_name(self, spelling: str, name: str) -> str:
        """Return how `--set` names a name of one file: with the file where another has it as well."""
        return f"{spelling}:{name}" if self._is_shared(self._asked.get(name, {})) else name

    def problems(self) -> Iterable[str]:
        """Return a sentence for each answer that no file asked for, and that several files would take."""
        for key, answer in self._given.items():
            files = self._asked.get(answer.name, {})
            if key not in self._used:
                if not answer.optional and answer.name not in _PSEUDO:
                    yield f"{answer.origin}: no file that was read refers to {answer.name}"
            elif answer.file is None and self._is_shared(files):
                takers = [file for file in files if f"{file}:{answer.name}" not in self._given]
                if len(takers) > 1:
                    flags = " and ".join(
                        f"--set {shlex.quote(f'{file}:{answer.name}=VALUE')}" for file in takers
                    )
                    yield f"{answer.origin}: {' and '.join(takers)} both have this name; {flags} say which"

    def _is_shared(self, files: Mapping[str, bool]) -> bool:
        return len(files) > 1 and any(files.values())


class FileAnswers:
    """The answers as one file uses them."""

    def __init__(self, answers: Answers, spellings: Sequence[str]) -> None:
        self._answers = answers
        self._spellings = spellings

    def get(self, name: str, *, direct: bool = False, own: bool = False) -> object:
        """Return the value for a name, or None; with `direct`, only what the name stands for in the end.

        `own` says that the name is one of this file, and means something else in another.
        """
        answer = self._answers.find(name, self._spellings, own=own)
        return None if answer is None or (direct and not answer.direct) else answer.value

    def mention(self, is_mentioned: Callable[[str], bool]) -> None:
        """Say which names the file refers to, also where nothing that is read needs them now."""
        self._answers.mention(is_mentioned, self._spellings)


def answers_of_flags(flags: Iterable[str], files: Iterable[str] = ()) -> dict[str, Answer]:
    """Read `NAME=VALUE` and `FILE:NAME=VALUE` texts, where FILE is one of `files`.

    Raises InvalidFile with everything that is wrong with them.
    """
    longest_first = sorted(files, key=len, reverse=True)
    answers: dict[str, Answer] = {}
    problems: list[str] = []
    for flag in flags:
        file = next((file for file in longest_first if flag.startswith(f"{file}:")), None)
        found = _SET.fullmatch(flag if file is None else flag.removeprefix(f"{file}:"))
        if found is None:
            problems.append(f"--set {flag}: NAME=VALUE is expected")
            continue
        answer = Answer(value=found["value"], origin="", direct=True, name=found["name"], file=file)
        if answer.key in answers:
            problems.append(f"--set {answer.key}: the name is given twice")
        else:
            answers[answer.key] = replace(answer, origin=f"--set {answer.key}")
    if problems:
        raise InvalidFile(problems)
    return answers


def read_parameters(paths: Iterable[str]) -> dict[str, Answer]:
    """Read parameters files; raise InvalidFile with everything that is wrong with them."""
    answers: dict[str, Answer] = {}
    problems: list[str] = []
    for path in paths:
        try:
            found = _read_parameters(path)
        except InvalidFile as error:
            problems += error.problems
            continue
        problems += [
            f"{answer.origin}: {answers[name].origin} says otherwise"
            for name, answer in found.items()
            if name in answers and answers[name].value != answer.value
        ]
        answers |= found
    if problems:
        raise InvalidFile(problems)
    return answers


def _read_parameters(path: str) -> dict[str, Answer]:
    file, environment = path, None
    if not Path(path).exists() and SAM_CONFIG_SUFFIX in path:
        file, _, environment = path.rpartition(":")
    try:
        text = read_text(Path(file or path))
        if file.endswith(SAM_CONFIG_SUFFIX):
            return _known(known_of_sam_config(text, environment), path, optional=False)
        documents = load_documents(text)
    except InvalidFile as error:
        raise InvalidFile(f"{path}: {problem}" for problem in error.problems) from error
    return answers_of_parameters(documents[0] if len(documents) == 1 else None, path)


def _known(known: Known, origin: str, *, optional: bool) -> dict[str, Answer]:
    """Return answers of what is known of a deployment; raise InvalidFile where two say different things."""
    answers: dict[str, Answer] = {}
    for name, value, direct in known:
        answer = Answer(value=value, origin=f"{origin}: {name}", direct=direct, name=name, optional=optional)
        if answers.setdefault(name, answer).value != value:
            raise InvalidFile([f"{origin}: {name} is given twice"])
    return answers


def answers_of_parameters(document: object, origin: str) -> dict[str, Answer]:
    """Read what a parameters file holds: an object, the list `aws cloudformation` takes, or prints."""
    if is_of_stacks(document):
        assert isinstance(document, Mapping)
        return _known(known_of_stacks(document), origin, optional=True)
    if isinstance(document, list):
        entries = [_entry(each) for each in document]
    elif isinstance(document, Mapping):
        entries = [(str(name), value) for name, value in document.items()]
    else:
        raise InvalidFile([f"{origin}: {_PARAMETERS_FORM}"])
    problems = [_PARAMETERS_FORM for entry in entries if entry is None][:1]
    answers: dict[str, Answer] = {}
    for name, value in filter(None, entries):
        if not isinstance(value, str | int | float | list | Mapping):  # a bool is an int
            problems.append(f"{name} must be a value, not {shown(value)}")
        elif name in answers:
            problems.append(f"{name} is given twice")
        else:
            answers[name] = Answer(value=value, origin=f"{origin}: {name}", direct=False, name=name)
    if problems:
        raise InvalidFile(f"{origin}: {problem}" for problem in problems)
    return answers


def _entry(value: object) -> tuple[str, object] | None:
    match value:
        case {"ParameterKey": str(name), "ParameterValue": given, **other} if not other:
            return name, given
        case _:
            return None
