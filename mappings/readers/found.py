"""What a reader hands on: one mapping as the file means it, the place where it stands, and what is wrong."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMapping:
    """A CreateEventSourceMapping request in AWS's spelling, incomplete where there are problems.

    `place` names the resource within its file; each problem is a sentence that names the property.
    """

    place: str
    request: Mapping[str, object] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


class Unresolved(ValueError):
    """A value that cannot be known from the file and the answers; the message says how to give it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path = ""

    @classmethod
    def asking(cls, reference: str, reason: str, *names: str) -> "Unresolved":
        """Return the sentence about a reference that answers under these names would settle."""
        flags = " ".join(f"--set {shlex.quote(f'{name}=VALUE')}" for name in names)
        return cls(f"{reference} {reason}; {flags} {'gives' if len(names) == 1 else 'give'} it")

    def within(self, step: str) -> "Unresolved":
        """Return the same, one step further from the value: `.Name` or `[0]`."""
        self.path = f"{step}{self.path}"
        return self

    @property
    def sentence(self) -> str:
        where = self.path.removeprefix(".")
        return f"{where}: {self}" if where else str(self)
