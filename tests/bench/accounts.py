"""Who got what: each record that was handed out is delivered once, in order, and then acknowledged."""

from dataclasses import asdict, dataclass, field


@dataclass(slots=True, kw_only=True)
class Account:
    """What a run did, and what it should not have done."""

    invocations: int = 0
    distinct: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    handed_out: int = 0
    acknowledged: int = 0

    @property
    def unacknowledged(self) -> int:
        """Handed out and not yet finished."""
        return self.handed_out - self.acknowledged

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return asdict(self) | {"unacknowledged": self.unacknowledged}


@dataclass(slots=True)
class QueueLedger:
    """Messages, numbered from 0 as they are handed out."""

    account: Account
    _seen: bytearray = field(default_factory=bytearray)
    _released: list[int] = field(default_factory=list)

    def take(self, count: int) -> list[int]:
        """Numbers of the next messages; released ones come again."""
        again, self._released = self._released[:count], self._released[count:]
        first = len(self._seen)
        fresh = range(first, first + count - len(again))
        self._seen.extend(bytes(len(fresh)))
        self.account.handed_out += count
        return [*again, *fresh]

    def invoked(self, numbers: list[int]) -> None:
        """A function got these."""
        account, seen = self.account, self._seen
        account.invocations += 1
        for number in numbers:
            if seen[number] & 1:
                account.duplicates += 1
            else:
                account.distinct += 1
                seen[number] |= 1

    def deleted(self, numbers: list[int]) -> None:
        """These were finished; one that no function has got was acknowledged too early."""
        account, seen = self.account, self._seen
        for number in numbers:
            if not seen[number] & 1:
                account.out_of_order += 1
            elif not seen[number] & 2:
                account.acknowledged += 1
                seen[number] |= 2

    def released(self, numbers: list[int]) -> None:
        """These were given back unhandled."""
        self._released += numbers
        self.account.handed_out -= len(numbers)


@dataclass(slots=True)
class ShardLedger:
    """Records of one shard, numbered from 0; delivered is acknowledged, in order."""

    account: Account
    _given: int = 0
    _next: int = 0
    _skipped: set[int] = field(default_factory=set)

    def given(self, upto: int) -> None:
        """Records before this number were read."""
        if upto > self._given:
            self.account.handed_out += upto - self._given
            self._given = upto

    def invoked(self, numbers: list[int]) -> None:
        """A function got these, in this order."""
        account = self.account
        account.invocations += 1
        first = self._next
        if numbers == list(range(first, first + len(numbers))):
            self._count(len(numbers))
            self._next = first + len(numbers)
            return
        for number in numbers:
            self._deliver(number)

    def _deliver(self, number: int) -> None:
        if number > self._next:
            self.account.out_of_order += 1
            self._skipped.update(range(self._next, number))
        if number >= self._next:
            self._count(1)
            self._next = number + 1
        elif number in self._skipped:
            self._skipped.remove(number)
            self._count(1)
        else:
            self.account.duplicates += 1

    def _count(self, records: int) -> None:
        self.account.distinct += records
        self.account.acknowledged += records
