"""The accounting: what was produced against what the functions have seen, record by record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from poller.demo.seen import read_seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of the records that were produced for one function."""

    function: str
    produced: Sequence[str]
    """Ids that the service acknowledged."""
    seen: Mapping[str, int]
    """How often the function has seen each id."""

    @property
    def missing(self) -> Sequence[str]:
        """Produced and never seen, in the order of producing."""
        return [id_ for id_ in self.produced if not self.seen.get(id_)]

    @property
    def repeated(self) -> int:
        """Deliveries beyond the first of each record."""
        return sum(self.seen.get(id_, 0) - 1 for id_ in self.produced if self.seen.get(id_))

    @property
    def balanced(self) -> bool:
        """Whether every record was seen. Nothing produced is nothing shown."""
        return bool(self.produced) and not self.missing


class Ledger:
    """Takes down what is produced, and compares."""

    def __init__(self, seen_folder: Path, *, functions: Sequence[str]) -> None:
        self._seen_folder = seen_folder
        self._produced: dict[str, list[str]] = {function: [] for function in functions}

    def produced(self, function: str, *, ids: Sequence[str]) -> None:
        """A service has acknowledged these records."""
        self._produced[function] += ids

    def accounts(self) -> Sequence[Account]:
        """How the books stand now, for each function."""
        return [
            Account(
                function=function,
                produced=tuple(ids),
                seen=read_seen(self._seen_folder, function=function),
            )
            for function, ids in self._produced.items()
        ]
