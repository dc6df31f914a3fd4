"""Where we differ from event-ruler, and why."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.ruler.questions import Number, Question, dump

REFUSED = "refused"
CONTRADICTS = "asked about the alternatives one by one, the ruler decides as we do: its machine mixes them up"
_MOST_PATTERNS = 64


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is said differently of a pattern, or of a pattern and an event."""

    what: str
    """`refusal`, `complexity` or `decision`."""
    pattern: str
    event: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        event = f"\n    event   {self.event}" if self.event else ""
        return f"    pattern {self.pattern}{event}\n    {self.what}: ours {self.ours}, theirs {self.theirs}"

    @property
    def reason(self) -> str | None:
        """The reason; None where there is none."""
        match self.what:
            case "refusal" if self.ours == REFUSED and _SMALLEST in self.pattern:
                return _OTHER_DIGITS
            case "refusal" if self.theirs == REFUSED and _GREATEST in self.pattern:
                return "the ruler refuses a range above the greatest double; it can match nothing"
            case "complexity" if '"$or"' in self.pattern:
                return "what branches of $or share, the ruler counts once or twice, as it comes upon it"
            case "decision" if self._compares_digits_of_a_number:
                return "a number is no address (recorded on EventBridge); the ruler compares its digits"
            case "decision" if _SMALLEST in self.pattern + self.event:
                return _OTHER_DIGITS
            case "decision" if _has_a_path_twice(json.loads(self.event)):
                return "of a path that an event has twice, spelled with and without a dot, we take one whole"
        return None

    @property
    def _compares_digits_of_a_number(self) -> bool:
        numbers: list[str] = []
        json.loads(self.event, parse_int=numbers.append, parse_float=numbers.append)
        return '"cidr"' in self.pattern and self.ours == "0" and bool(numbers)


_SMALLEST, _GREATEST = "4.9e-324", "1.7976931348623157e308"
_OTHER_DIGITS = (
    "Java writes the smallest double as 4.9E-324, we as 5e-324: each takes its own text for the number"
)


def differences(question: Question, ours: str, theirs: str) -> Iterator[Difference]:
    """Compare two lines of answers."""
    if REFUSED in {ours, theirs}:
        if ours != theirs:
            yield Difference("refusal", question.pattern, "", ours, theirs)
        return
    (our_count, _, our_decisions), (their_count, _, their_decisions) = (
        ours.partition(" "),
        theirs.partition(" "),
    )
    if our_count != their_count:
        yield Difference("complexity", question.pattern, "", our_count, their_count)
    for event, one, other in zip(question.events, our_decisions, their_decisions, strict=True):
        if one != other:
            yield Difference("decision", question.pattern, event, one, other)


def one_by_one(difference: Difference) -> list[Question]:
    """Return the event with each pattern of one alternative for each field; none where these are many."""
    written = json.loads(difference.pattern, parse_int=Number, parse_float=Number)
    patterns = list(itertools.islice(_single(written), _MOST_PATTERNS + 1))
    if len(patterns) > _MOST_PATTERNS:
        return []
    return [Question(dump(pattern), (difference.event,)) for pattern in patterns]


def _single(pattern: dict[str, Any]) -> Iterator[dict[str, Any]]:
    choices: list[list[dict[str, Any]]] = [
        [{name: choice} for choice in _single(below)]
        if isinstance(below, dict)
        else [choice for branch in below for choice in _single(branch)]
        if name == "$or"
        else [{name: [alternative]} for alternative in below]
        for name, below in sorted(pattern.items(), key=lambda item: item[0] == "$or")
    ]
    for chosen in itertools.product(*choices):
        yield {name: below for each in chosen for name, below in each.items()}


def _has_a_path_twice(event: object) -> bool:
    ways: dict[str, set[tuple[str, ...]]] = {}
    for way in _ways(event, ()):
        ways.setdefault(".".join(way), set()).add(way)
    return any(len(same) > 1 for same in ways.values())


def _ways(node: object, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict):
        for name, below in node.items():
            yield (*above, name)
            yield from _ways(below, (*above, name))
    elif isinstance(node, list):
        for element in node:
            yield from _ways(element, above)
