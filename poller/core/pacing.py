"""How fast one shard or queue is read."""

from dataclasses import dataclass

from poller.core.records import Page, total_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Least time from the start of one read to the start of the next."""

    busy_s: float
    """While records are available."""
    idle_s: float
    """After a read that found nothing and knows of nothing."""
    bytes_per_s: float | None = None
    """Throughput of one shard; reading faster only makes the next reads fail."""

    def pause(self, page: Page, elapsed_s: float) -> float:
        """Seconds to wait before the next read, given how long ago this one began."""
        interval = self.busy_s if page.records or page.behind else self.idle_s
        if self.bytes_per_s is not None:
            interval = max(interval, page.source_bytes / self.bytes_per_s)
        return max(interval - elapsed_s, 0.0)


def next_page_bytes(last: Page, largest_bytes: int) -> int:
    """How large the next page may be expected to be, given the last one.

    A shard that is read all the time gives pages alike: an idle one need not keep room for the largest there
    is, which would leave room for the reads of a few shards only.
    """
    return min(max(total_size(last.records) * 2, largest_bytes // 8), largest_bytes)


# Answers in a row after which more records are asked for again; each answer that is too large doubles it.
_GROW_AFTER = 20
_GROW_AFTER_MOST = 5_000


class ReadLimit:
    """How many records a read asks for: half as many after each answer that was too large to be taken in."""

    def __init__(self, most: int) -> None:
        self.most = most
        """No read asks for more."""
        self._largest = most
        self._grow_after = _GROW_AFTER
        self._answers = 0

    def too_large(self, asked: int) -> None:
        """The answer to a read of `asked` records was too large."""
        self.most = max(asked // 2, 1)
        self._answers = 0
        self._grow_after = min(self._grow_after * 2, _GROW_AFTER_MOST)

    def answered(self) -> None:
        """A read was answered."""
        self._answers += 1
        if self.most < self._largest and self._answers >= self._grow_after:
            self.most = min(self.most * 2, self._largest)
            self._answers = 0
