"""What a reader hands on: one mapping as the file means it, the place where it stands, and what is wrong."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A value that cannot be known from a file; answers under all of `names`, if any, settle it."""

    text: str
    names: tuple[str, ...] = ()
    path: str = ""
    """The steps to the value from where it is reported: `.Name` or `[0]`."""
    wanted: str = "VALUE"
    gives: str = ""

    def sentence(self, flag_name: Callable[[str], str]) -> str:
        """Return the sentence; `flag_name` says how `--set` spells a name."""
        where = self.path.removeprefix(".")
        text = f"{where}: {self.text}" if where else self.text
        if not self.names:
            return text
        flags = " ".join(f"--set {shlex.quote(f'{flag_name(name)}={self.wanted}')}" for name in self.names)
        given = self.gives or ("it" if self.wanted == "VALUE" else f"the {self.wanted.lower()}")
        return f"{text}; {flags} {'gives' if len(self.names) == 1 else 'give'} {given}"


Problem = str | Question


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMapping:
    """A CreateEventSourceMapping request in AWS's spelling, incomplete where there are problems.

    `place` names the resource within its file; each problem is a sentence that names the property.
    """

    place: str
    request: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    """What the author should know, though the mapping is read."""
    spelled: Mapping[str, str] = field(default_factory=dict)
    """How the author spells a member, where that is not AWS's name of it."""
    unnamed: str | None = None
    """The logical ID that stands for the function, where the file gives the function no name."""
    left_out: str | None = None
    """Why it is no mapping after all; the author is told so."""
    elsewhere: str | None = None
    """A file, as seen from this one, that holds what stands here: once it is read too, nothing is wrong."""


class Unresolved(ValueError):
    """A value that cannot be known from the file and the answers: one question, or several."""

    def __init__(self, reason: str, *names: str) -> None:
        super().__init__(reason)
        self.questions: tuple[Question, ...] = (Question(text=reason, names=names),)

    @classmethod
    def asking(cls, reference: str, reason: str, *names: str) -> "Unresolved":
        """Return the question about a reference that answers under these names would settle."""
        return cls(f"{reference} {reason}", *names)

    @classmethod
    def gathered(cls, errors: Iterable["Unresolved"]) -> "Unresolved":
        """Return all questions as one error, each of them once."""
        unresolved = cls("")
        unresolved.questions = tuple(
            dict.fromkeys(question for error in errors for question in error.questions)
        )
        return unresolved

    def within(self, step: str) -> "Unresolved":
        """Return the same, one step further from the value: `.Name` or `[0]`."""
        self.questions = tuple(
            replace(question, path=f"{step}{question.path}") for question in self.questions
        )
        return self


class Endless(Unresolved):
    """A value that refers to itself, or to too much: what comes after it is not looked at."""


def all_of(parts: Iterable[Callable[[], T]]) -> list[T]:
    """Return what each part gives; raise Unresolved with the questions of all, not of the first alone."""
    values: list[T] = []
    errors: list[Unresolved] = []
    for part in parts:
        try:
            values.append(part())
        except Endless:
            raise
        except Unresolved as unresolved:
            errors.append(unresolved)
    if errors:
        raise Unresolved.gathered(errors)
    return values
