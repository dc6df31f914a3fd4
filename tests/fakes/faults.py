"""Which faults strike which calls, and when: a plan of independent entries, each with its own dice.

Dropping an entry leaves the dice of the others as they were, so a failing run shrinks by leaving faults out.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from poller.interfaces import Clock
from tests.fakes.history import Healed, History, Struck


class FaultKind(StrEnum):
    """What can go wrong. The first words say where."""

    SOURCE_UNAVAILABLE = "source_unavailable"
    SOURCE_THROTTLED = "source_throttled"
    SOURCE_DENIED = "source_denied"
    SOURCE_GONE = "source_gone"
    SOURCE_SLOW = "source_slow"
    SOURCE_BUG = "source_bug"
    """A call raises what nobody foresaw."""

    LIST_FAILS = "list_fails"
    LIST_STALE_PARENT = "list_stale_parent"
    """A closed parent is listed as open, beside its children."""
    LIST_LACKS_SHARD = "list_lacks_shard"
    OPEN_FAILS = "open_fails"
    ITERATOR_EXPIRED = "iterator_expired"
    EMPTY_PAGE = "empty_page"
    SHORT_PAGE = "short_page"

    RECEIVE_LOST = "receive_lost"
    """Messages are handed out and hidden, and the answer never comes."""
    RECEIVE_DUPLICATE = "receive_duplicate"
    """A hidden message is handed out once more."""
    DELETE_FAILED = "delete_failed"
    """Some entries of a DeleteMessageBatch come back in `Failed`."""
    DELETE_LOST = "delete_lost"
    """Messages are deleted, and the answer never comes."""
    SETTLE_UNAVAILABLE = "settle_unavailable"
    DELETE_HANGS = "delete_hangs"
    """A DeleteMessageBatch is not answered until its caller gives up."""
    DELETE_DENIED = "delete_denied"
    RENEW_DENIED = "renew_denied"
    """The visibility of a message may not be changed, but to show it."""

    FUNCTION_NOT_READY = "function_not_ready"
    FUNCTION_THROTTLED = "function_throttled"
    FUNCTION_UNREACHABLE = "function_unreachable"
    FUNCTION_ERROR = "function_error"
    FUNCTION_PARTIAL = "function_partial"
    FUNCTION_INVALID = "function_invalid"
    FUNCTION_LOST_REPLY = "function_lost_reply"
    """It ran, or runs on, and the answer never comes."""
    FUNCTION_HANGS = "function_hangs"
    """It runs into its timeout."""
    FUNCTION_SLOW = "function_slow"
    FUNCTION_BUG = "function_bug"

    DESTINATION_UNAVAILABLE = "destination_unavailable"
    DESTINATION_DENIED = "destination_denied"
    DESTINATION_LOST_REPLY = "destination_lost_reply"
    """A document arrives, and the answer never comes."""

    STATE_UNAVAILABLE = "state_unavailable"
    """A write is refused: the disk is full, the table throttled."""
    STATE_LOST_REPLY = "state_lost_reply"
    """A write is made, and the answer never comes."""
    STATE_SLOW = "state_slow"

    # Happenings: once, at `start`.
    SPLIT = "split"
    MERGE = "merge"
    ROTATE = "rotate"
    TRIM = "trim"
    RECREATE = "recreate"
    WALL_JUMP = "wall_jump"
    """The wall clock of the poller is set forward or back by up to an hour."""


HAPPENINGS = frozenset(
    {
        FaultKind.SPLIT,
        FaultKind.MERGE,
        FaultKind.ROTATE,
        FaultKind.TRIM,
        FaultKind.RECREATE,
        FaultKind.WALL_JUMP,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Strikes calls to a place with a chance, while its time lasts; a happening strikes once, at `start`."""

    kind: FaultKind
    place: str
    start: float = 0.0
    end: float = float("inf")
    chance: float = 1.0
    most: int = 1_000_000
    """How often it strikes at most."""


class Faults:
    """Rolls the dice of a plan. Every strike is part of the history."""

    def __init__(self, plan: Iterable[Fault], *, seed: object, clock: Clock, history: History) -> None:
        self._clock = clock
        self._history = history
        self._healed = False
        self._dice: dict[tuple[str, FaultKind], list[_Dice]] = {}
        for fault in plan:
            if fault.kind not in HAPPENINGS:
                key = (fault.place, fault.kind)
                self._dice.setdefault(key, []).append(_Dice(fault, random.Random(f"{seed}/{fault}")))

    def strike(self, place: str, kind: FaultKind) -> bool:
        """Whether this call to `place` suffers `kind`."""
        dice = self._dice.get((place, kind))
        if dice is None or self._healed:
            return False
        now = self._clock.monotonic()
        if not any(die.roll(now) for die in dice):
            return False
        self._history.add(Struck(now, place, kind.value))
        return True

    def heal(self) -> None:
        """No fault strikes any more."""
        self._healed = True
        self._history.add(Healed(self._clock.monotonic()))


class _Dice:
    def __init__(self, fault: Fault, chance: random.Random) -> None:
        self._fault = fault
        self._chance = chance
        self._left = fault.most

    def roll(self, now: float) -> bool:
        fault = self._fault
        if not fault.start <= now < fault.end or not self._left or self._chance.random() >= fault.chance:
            return False
        self._left -= 1
        return True
