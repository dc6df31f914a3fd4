"""What the shards of a stream make its next listing wait for, or hurry for."""

from collections.abc import Callable
from typing import Protocol


class Doubt(Protocol):
    """Whether a shard, or its stream, is still the one that was listed."""

    @property
    def resolved(self) -> bool:
        """Whether a listing that began after it has been followed."""
        ...


class Doubts(Protocol):
    """Takes doubts in."""

    def cast(self) -> Doubt | None:
        """A read failed so that the stream may be gone, or be another one."""
        ...

    def nothing_read(self) -> None:
        """A read found nothing at the tip."""
        ...


class NoDoubts:
    """Of a source that is never listed again."""

    def cast(self) -> None:
        """Nobody would resolve it."""

    def nothing_read(self) -> None:
        """That is no sign."""


class StreamDoubts:
    """Of one stream: keeps what has come up since its last listing."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """Make it.

        Args:
            wake: Called when a doubt came up: the stream is to be listed soon.
        """
        self.standing = False
        """Whether a doubt came up that no listing has resolved."""
        self.idle = False
        """Whether a read found nothing since the last listing began."""
        self._wake = wake
        self._begun = 0
        self._followed = 0

    def cast(self) -> "_StreamDoubt":
        """A read failed."""
        if not self.standing:
            self.standing = True
            self._wake()
        return _StreamDoubt(self, self._begun)

    def nothing_read(self) -> None:
        """A read found nothing; the first since a listing may bring the next one forward."""
        if not self.idle:
            self.idle = True
            self._wake()

    def listing(self) -> None:
        """A listing begins: what comes up from now on is for the next one."""
        self._begun += 1
        self.idle = False

    def listed(self) -> None:
        """The listing was followed."""
        self._followed = self._begun
        self.standing = False

    def is_resolved(self, begun: int) -> bool:
        """Whether a listing that began later than this many others was followed."""
        return self._followed > begun


class _StreamDoubt:
    def __init__(self, doubts: StreamDoubts, begun: int) -> None:
        self._doubts = doubts
        self._begun = begun

    @property
    def resolved(self) -> bool:
        return self._doubts.is_resolved(self._begun)
