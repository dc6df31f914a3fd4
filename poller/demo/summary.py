"""The end of the demo: every produced record accounted for, or the missing ones named."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poller.demo.ledger import Account
from poller.demo.picture import Picture

NAMED = 5
"""Missing records that are named for each function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended."""

    picture: Picture
    """The last one."""
    accounts: Sequence[Account]
    """In the order of the picture's rows."""
    interrupted: bool = False
    trouble: str | None = None
    """Why it was ended before its time, other than by a signal."""

    @property
    def complete(self) -> bool:
        """Whether it showed what it is to show."""
        ended_early = self.interrupted or self.trouble is not None
        return not ended_early and all(account.balanced for account in self.accounts)

    @property
    def exit_code(self) -> int:
        """Of the process."""
        return 0 if self.complete else 1


def print_summary(console: Console, *, ending: Ending) -> None:
    """Print the accounts, and what they mean."""
    if ending.picture.rows:
        console.print(_table(ending))
    for line in verdict(ending):
        console.print(Text(line, style="bold green" if ending.complete else "bold red"), soft_wrap=True)


def verdict(ending: Ending) -> Sequence[str]:
    """The closing sentences."""
    if ending.complete:
        produced = sum(len(account.produced) for account in ending.accounts)
        seconds = f"{ending.picture.elapsed_s:.0f} s"
        return [f"Complete after {seconds}: each of {produced:,} produced records was seen by its function."]
    if ending.interrupted:
        return ["Interrupted: what is missing was still in its source."]
    ended = [] if ending.trouble is None else [f"Ended early: {ending.trouble}."]
    return ended + [_complaint(account) for account in ending.accounts if not account.balanced]


def _complaint(account: Account) -> str:
    missing = account.missing
    if not missing:
        return f"Nothing was produced for the function {account.function}."
    more = f" and {len(missing) - NAMED:,} more" if len(missing) > NAMED else ""
    return f"Missing, never seen by the function {account.function}: {', '.join(missing[:NAMED])}{more}."


def _table(ending: Ending) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("\nmapping", no_wrap=True)
    for column in ("\nproduced", "function\nsaw", "\nmissing", "\nrepeated", "\nbatches", "average\nbatch"):
        table.add_column(column, justify="right")
    for account, row in zip(ending.accounts, ending.picture.rows, strict=True):
        table.add_row(row.mapping, *_figures(account), f"{row.batches:,}", f"{row.average_batch:.1f}")
    return table


def _figures(account: Account) -> Sequence[str | Text]:
    produced, missing = len(account.produced), len(account.missing)
    return (
        f"{produced:,}",
        f"{produced - missing:,}",
        Text(f"{missing:,}", style="bold red" if missing else ""),
        f"{account.repeated:,}",
    )
