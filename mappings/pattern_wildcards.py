"""How complex the wildcards of a pattern are, counted as event-ruler's MachineComplexityEvaluator counts.

What is counted: of all texts, the one that the most prefixes of the wildcards match. `*a*b` has the prefixes
`*`, `*a`, `*a*` and `*a*b`; the text `ab` is matched by `*`, `*a*` and `*a*b`.

EventBridge refuses a pattern above a bound that it does not publish. Our matcher takes linear time whatever
the count is, so `BOUND` only decides when to warn.
"""

from collections.abc import Iterable, Iterator

BOUND = 10
"""Our choice: a pattern above it may be refused by AWS."""

Written = tuple[tuple[str, ...], ...]
"""The wildcards of one field, as they are written: several together where one anything-but lists them."""

_STAR = 256
_OTHER = 257  # any byte that no wildcard names
# Sets of prefixes that are followed up before the count is given up: more than a pattern has characters.
_MOST_SETS = 5_000
# A prefix: which wildcard, and how many of its bytes and stars.
_Prefix = tuple[int, int]
_Wildcards = list[list[int]]


def complexity(fields: Iterable[Written]) -> int | None:
    """Return the greatest count of any field; None where one has too many sets of prefixes to look at all.

    Counting ends above `BOUND`: what is returned is then the first count that exceeds it.
    """
    counts = [_of_field(written) for written in fields]
    known = [count for count in counts if count is not None]
    most = max(known, default=0)
    return most if most > BOUND or len(known) == len(counts) else None


def _of_field(written: Written) -> int | None:
    wildcards = [_bytes_and_stars(text) for texts in written for text in texts]
    shared = _shared(written, wildcards)
    begun = frozenset((index, 0) for index in range(len(wildcards)))
    seen = {begun}
    pending = [begun]
    most = 0
    while pending:
        active = pending.pop()
        for matched in _steps(wildcards, active):
            most = max(most, len({shared.get(prefix, prefix) for prefix in matched}))
            if most > BOUND:
                return most
            if matched not in seen:
                if len(seen) == _MOST_SETS:
                    return None
                seen.add(matched)
                pending.append(matched)
    return most


def _shared(written: Written, wildcards: _Wildcards) -> dict[_Prefix, object]:
    """Return what counts as one prefix: equal ones of an alternative up to a first star, and all its ends."""
    alternatives = [texts for texts in written for _ in texts]
    shared: dict[_Prefix, object] = {}
    for index, (texts, parts) in enumerate(zip(alternatives, wildcards, strict=True)):
        star = parts.index(_STAR) if _STAR in parts else len(parts) - 1
        shared |= {(index, length): (texts, *parts[:length]) for length in range(1, star + 2)}
        shared[index, len(parts)] = texts
    return shared


def _bytes_and_stars(text: str) -> list[int]:
    """Return the bytes of a wildcard between quotation marks, as a string stands in JSON."""
    letters = iter(text.encode(errors="replace"))
    found = [
        _STAR if letter == ord("*") else next(letters) if letter == ord("\\") else letter
        for letter in letters
    ]
    return [ord('"'), *found, ord('"')]


def _steps(wildcards: _Wildcards, active: frozenset[_Prefix]) -> Iterator[frozenset[_Prefix]]:
    """Yield, for each next byte of a text, the prefixes that match it then."""
    nexts = {wildcards[index][length] for index, length in active if length < len(wildcards[index])}
    for byte in sorted(nexts - {_STAR} | {_OTHER}):
        matched = set[_Prefix]()
        for index, length in active:
            parts = wildcards[index]
            if length and parts[length - 1] == _STAR:
                matched.add((index, length))
            if length < len(parts) and parts[length] == byte:
                matched.add((index, length + 1))
        # A star behind a prefix also stands for nothing.
        matched |= {
            (index, length + 1)
            for index, length in matched
            if length < len(wildcards[index]) and wildcards[index][length] == _STAR
        }
        if matched:
            yield frozenset(matched)
