"""Reads a poller's state file without touching it, and tells what was written since it was last read.

What is read is a copy: recovery after a kill is left to the next poller, which is what has to manage it.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from poller.core.leasing import Lease
from poller.core.records import Position
from tests.fakes.history import Checkpointed, Event, LeaseAdded, LeaseForgotten, LeaseReleased, LeaseTaken
from tests.kill.faces import SHARD_ID_LENGTH

Rows = dict[tuple[str, str], Lease]
# Beside the leases stand entries of the mappings of files.
_OF_SHARDS = "shard NOT LIKE 'file/%' AND shard NOT LIKE 'left-file/%'"
_COLUMNS = "mapping, shard, incarnation, checkpoint, owner, epoch, counter"


class StateFile:
    """The state file of one world."""

    def __init__(self, path: Path, *, places: Mapping[str, str], incarnation: Callable[[str], str]) -> None:
        """Make a view of a file that need not exist yet.

        Args:
            path: The file.
            places: Which place each mapping, by its UUID, is called in the history.
            incarnation: How the history calls an incarnation of a stream.
        """
        self.rows: Rows = {}
        self.refused = 0
        """How often a copy taken from a running poller was torn."""
        self._path = path
        self._places = places
        self._incarnation = incarnation

    def changes(self, at: float, process: str, *, running: bool) -> list[Event]:
        """What a process has made durable since the last look.

        A copy taken while the process writes may be torn; that is no fault of the file.

        Raises:
            sqlite3.DatabaseError: The file cannot be opened, or is damaged.
        """
        if not self._path.exists():
            return []
        try:
            rows = self._read()
        except (sqlite3.DatabaseError, OSError):
            if not running:
                raise
            self.refused += 1
            return []
        events = list(self._differences(rows, at, process))
        self.rows = rows
        return events

    def _read(self) -> Rows:
        with tempfile.TemporaryDirectory(prefix="kill-state-") as folder:
            for suffix in ("", "-wal"):  # what WAL alone does not hold yet is in the file: that one first
                source = f"{self._path}{suffix}"
                if os.path.exists(source):  # noqa: PTH110  # the name is no Path
                    shutil.copyfile(source, f"{folder}/copy{suffix}")
            connection = sqlite3.connect(f"{folder}/copy")
            try:
                (sound,) = connection.execute("PRAGMA quick_check").fetchone()
                if sound != "ok":
                    raise sqlite3.DatabaseError(sound)
                if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'leases'").fetchone():
                    return {}
                found = connection.execute(f"SELECT {_COLUMNS} FROM leases WHERE {_OF_SHARDS}").fetchall()
            finally:
                connection.close()
        leases = [self._lease(*row) for row in found]
        return {(lease.mapping, lease.shard): lease for lease in leases}

    def _lease(
        self, mapping: str, shard: str, incarnation: str, checkpoint: str, *held: str | int | None
    ) -> Lease:
        owner, epoch, counter = held
        return Lease(
            mapping=self._places[mapping],
            shard=shard[:SHARD_ID_LENGTH],
            incarnation=self._incarnation(incarnation),
            checkpoint=Position.parse(checkpoint),
            owner=None if owner is None else str(owner),
            epoch=int(epoch or 0),
            counter=int(counter or 0),
        )

    def _differences(self, rows: Rows, at: float, process: str) -> Iterator[Event]:
        for key in self.rows.keys() - rows.keys():
            yield LeaseForgotten(at, *key[:1], process, key[1])
        for (mapping, shard), lease in sorted(rows.items()):
            before = self.rows.get((mapping, shard))
            position = str(lease.checkpoint)
            if before is None:
                added = "TRIM_HORIZON" if lease.epoch else position
                yield LeaseAdded(at, mapping, process, shard, lease.incarnation, added)
                before = Lease(mapping=mapping, shard=shard, incarnation="", checkpoint=Position.parse(added))
            if lease.epoch > before.epoch:
                yield LeaseTaken(at, mapping, process, shard, lease.epoch)
            if position != str(before.checkpoint):
                yield Checkpointed(at, mapping, process, shard, lease.epoch, position)
            if lease.owner is None and lease.epoch and (before.owner or lease.epoch > before.epoch):
                yield LeaseReleased(at, mapping, process, shard, lease.epoch)
