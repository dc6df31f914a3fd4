"""What the user says beside the files: values for names to which a file refers without holding them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mappings.documents import read_text
from mappings.errors import InvalidFile, shown
from mappings.readers.loading import load_documents

_SET = re.compile(r"(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)
_PARAMETERS_FORM = (
    "the file must hold an object of values by name, or a list of objects with ParameterKey and "
    "ParameterValue alone"
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


class Answers:
    """The answers as one reading uses them: it remembers which of them a file asked for."""

    def __init__(self, given: Mapping[str, Answer]) -> None:
        self._given = given
        self._used: set[str] = set()

    def get(self, name: str, *, direct: bool = False) -> object:
        """Return the value for a name, or None; with `direct`, only what the name stands for in the end."""
        self._used.add(name)
        answer = self._given.get(name)
        return None if answer is None or (direct and not answer.direct) else answer.value

    def unused(self) -> Iterable[str]:
        """Return a sentence for each answer that no file asked for."""
        return [
            f"{answer.origin}: no file that was read refers to {name}"
            for name, answer in self._given.items()
            if name not in self._used
        ]


def answers_of_flags(flags: Iterable[str]) -> dict[str, Answer]:
    """Read `NAME=VALUE` texts; raise InvalidFile with everything that is wrong with them."""
    answers: dict[str, Answer] = {}
    problems: list[str] = []
    for flag in flags:
        found = _SET.fullmatch(flag)
        if found is None:
            problems.append(f"--set {flag}: NAME=VALUE is expected")
        elif found["name"] in answers:
            problems.append(f"--set {found['name']}: the name is given twice")
        else:
            origin = f"--set {found['name']}"
            answers[found["name"]] = Answer(value=found["value"], origin=origin, direct=True)
    if problems:
        raise InvalidFile(problems)
    return answers


def read_parameters(path: str) -> dict[str, Answer]:
    """Read a parameters file; raise InvalidFile with everything that is wrong with it."""
    try:
        documents = load_documents(read_text(Path(path)))
    except InvalidFile as error:
        raise InvalidFile(f"{path}: {problem}" for problem in error.problems) from error
    return answers_of_parameters(documents[0] if len(documents) == 1 else None, path)


def answers_of_parameters(document: object, origin: str) -> dict[str, Answer]:
    """Read what a parameters file holds: an object, or the list that `aws cloudformation` takes."""
    if isinstance(document, list):
        entries = [_entry(each) for each in document]
    elif isinstance(document, Mapping):
        entries = [(str(name), value) for name, value in document.items()]
    else:
        raise InvalidFile([f"{origin}: {_PARAMETERS_FORM}"])
    problems = [_PARAMETERS_FORM for entry in entries if entry is None][:1]
    answers: dict[str, Answer] = {}
    for name, value in filter(None, entries):
        if not isinstance(value, str | int | float | list):  # a bool is an int
            problems.append(f"{name} must be a text, a number, true, false or a list, not {shown(value)}")
        elif name in answers:
            problems.append(f"{name} is given twice")
        else:
            answers[name] = Answer(value=value, origin=f"{origin}: {name}", direct=False)
    if problems:
        raise InvalidFile(f"{origin}: {problem}" for problem in problems)
    return answers


def _entry(value: object) -> tuple[str, object] | None:
    match value:
        case {"ParameterKey": str(name), "ParameterValue": given, **other} if not other:
            return name, given
        case _:
            return None
