"""How the demo looks while it runs: a live table on a terminal, plain lines anywhere else."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from poller.demo.picture import Picture, Row
from poller.logs import configure
from poller.settings import Settings

PLAIN_INTERVAL_S = 2.0
COLUMNS = ("received", "in flight", "done", "batches", "average batch", "records/s", "iterator age")
PLAIN_WIDTHS = (5, 5, 5, 3, 5, 5, 5)


class View(Protocol):
    """Shows pictures."""

    def show(self, picture: Picture) -> None:
        """Called several times a second."""


@contextmanager
def open_view(console: Console, *, plain: bool, settings: Settings) -> Iterator[View]:
    """The view that fits: the live table needs a terminal that can move its cursor."""
    if plain or not sys.stdout.isatty() or console.is_dumb_terminal:
        yield PlainView(console)
        return
    # Log lines on the same terminal go above the table instead of through it.
    shared = sys.stderr.isatty()
    try:
        with Live(console=console, auto_refresh=False, transient=True, redirect_stderr=shared) as live:
            configure(settings.log_format, settings.log_level)
            yield LiveView(live)
    finally:
        configure(settings.log_format, settings.log_level)


class PlainView:
    """Prints a line for each mapping every few seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_s = PLAIN_INTERVAL_S

    def show(self, picture: Picture) -> None:
        """Print, if it is time."""
        if picture.elapsed_s < self._next_s or not picture.rows:
            return
        self._next_s = picture.elapsed_s + PLAIN_INTERVAL_S
        for row in picture.rows:
            cells = zip(COLUMNS, PLAIN_WIDTHS, _cells(row), strict=True)
            figures = "  ".join(f"{name} {cell:>{width}}" for name, width, cell in cells)
            self._console.out(f"{picture.elapsed_s:3.0f} s  {row.mapping:<15}  {figures}", highlight=False)


class LiveView:
    """Redraws one table."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, picture: Picture) -> None:
        """Redraw."""
        self._live.update(draw(picture), refresh=True)


def draw(picture: Picture) -> RenderableType:
    """The whole live view."""
    body: RenderableType = _table(picture) if picture.rows else Text("starting the functions ...")
    return Group(Padding(body, (1, 0)), _progress(picture), Text("\nCtrl-C ends it", style="dim"))


def _table(picture: Picture) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1))  # with headings of two lines: 80 columns wide
    table.add_column(_two_lines("mapping"), no_wrap=True)
    for column in COLUMNS:
        table.add_column(_two_lines(column), justify="right")
    for row in picture.rows:
        name = Text.assemble((row.mapping, "bold cyan"), "\n", (row.source, "dim"))
        table.add_row(name, *_cells(row))
    return table


def _two_lines(heading: str) -> str:
    first, _, second = heading.rpartition(" ")
    return f"{first}\n{second}"


def _progress(picture: Picture) -> Table:
    line = Table.grid(padding=(0, 2))
    line.add_row(
        f"{picture.elapsed_s:2.0f} s",
        Text(f"{picture.phase:<8}", style="yellow"),
        f"produced {picture.produced:5,} of {picture.planned:,}",
        f"functions saw {picture.seen:5,}",
        ProgressBar(total=picture.planned, completed=picture.seen, width=16, complete_style="green"),
    )
    return line


def _cells(row: Row) -> tuple[str, ...]:
    """The figures of a row, in the order of COLUMNS."""
    age = "-" if row.iterator_age_s is None else f"{row.iterator_age_s:.1f} s"
    return (
        f"{row.received:,}",
        f"{row.in_flight:,}",
        f"{row.done:,}",
        f"{row.batches:,}",
        f"{row.average_batch:.1f}",
        f"{row.records_per_s:,.0f}",
        age,
    )
