"""Reads a Dockerfile, as far as its facts are of interest here."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stage:
    """What stands between one FROM and the next."""

    instructions: Sequence[tuple[str, str]]

    def all(self, name: str) -> Sequence[str]:
        """The arguments of each instruction of a name."""
        return [text for found, text in self.instructions if found == name]

    def last(self, name: str) -> str:
        """The arguments that hold."""
        return self.all(name)[-1]

    def command(self, name: str) -> Sequence[str]:
        """A command in its exec form; a shell form fails here."""
        text = self.last(name)
        words: Sequence[str] = json.loads(text[text.index("[") :])
        return words

    @property
    def environment(self) -> Mapping[str, str]:
        """What ENV sets."""
        pairs = [word.partition("=") for text in self.all("ENV") for word in shlex.split(text)]
        return {name: value for name, _, value in pairs}


def stages() -> Sequence[Stage]:
    """The stages of our Dockerfile, in order."""
    found: list[list[tuple[str, str]]] = []
    for name, text in _instructions((ROOT / "Dockerfile").read_text()):
        if name == "FROM":
            found.append([])
        if found:
            found[-1].append((name, text))
    return [Stage(instructions) for instructions in found]


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    for line in joined.splitlines():
        name, _, rest = line.strip().partition(" ")
        yield name, " ".join(rest.split())
