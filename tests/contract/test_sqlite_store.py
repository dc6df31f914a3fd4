"""What the SQLite store promises beyond the contract: durability, one owner, clear refusals."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.timewindow import TimeWindow, WindowState
from poller.errors import StateRefused, StateUnavailable
from poller.events.sqlite import SqliteEventQueue
from poller.leases.sqlite import SqliteLeaseStore
from poller.state import SCHEMA, open_file
from tests.contract.test_event_queues import NOW, event


async def opened(path: Path) -> SqliteLeaseStore:
    """The leases of a state file; whoever opens it closes its file."""
    return SqliteLeaseStore(await open_file(path))


LEASE = Lease(mapping="m", shard="s", incarnation="i", checkpoint=Position.trim_horizon())


async def test_a_checkpoint_survives_closing_and_opening(tmp_path: Path) -> None:
    """It is in the file."""
    store = await opened(tmp_path / "state.db")
    await store.create([LEASE])
    await store.checkpoint(await store.take(LEASE, "w1"), Position.after("42"))
    await store._file.close()

    again = await opened(tmp_path / "state.db")
    (row,) = await again.list("m")
    await again._file.close()

    assert (row.checkpoint, row.owner) == (Position.after("42"), "w1")


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """With a sentence that names the file and the reason."""
    path = tmp_path / "state.db"
    store = await opened(path)
    script = (
        "import anyio, pathlib, sys\n"
        "from poller.state import open_file\n"
        "anyio.run(open_file, pathlib.Path(sys.argv[1]))\n"
    )

    other = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False, timeout=30
    )
    await store._file.close()

    assert other.returncode != 0
    assert f"state file {path} is in use by another process" in other.stderr


async def test_every_commit_is_synced_to_disk(tmp_path: Path) -> None:
    """WAL with synchronous=FULL: a power cut takes nothing that was answered."""
    store = await opened(tmp_path / "state.db")

    pragmas = [
        store._file._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    ]
    await store._file.close()

    assert pragmas == ["wal", 2]


async def test_checkpoints_of_many_shards_share_commits(tmp_path: Path) -> None:
    """Each shard waits for its own before it goes on, and all of them for one sync of the disk."""
    store = await opened(tmp_path / "state.db")
    leases = [
        Lease(mapping="m", shard=f"s{n}", incarnation="i", checkpoint=LEASE.checkpoint) for n in range(8)
    ]
    await store.create(leases)
    statements: list[str] = []
    store._file._connection.set_trace_callback(statements.append)

    async def work(lease: Lease) -> None:
        held = await store.take(lease, "w1")
        for number in range(1, 20):
            held = await store.checkpoint(held, Position.after(str(number)))

    async with anyio.create_task_group() as group:
        for lease in leases:
            group.start_soon(work, lease)
    await store._file.close()

    assert statements.count("COMMIT") < 8 * 20 / 4


def size_of(folder: Path) -> int:
    """How much the files in a folder take up, journals included."""
    return sum(each.stat().st_size for each in folder.iterdir())


def new_file(path: Path) -> None:
    """There is none yet."""


def file_of_an_earlier_version(path: Path) -> None:
    """Made before files were able to shrink."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in SCHEMA.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA.version}")
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)


@pytest.mark.parametrize("made", [new_file, file_of_an_earlier_version])
async def test_a_file_shrinks_when_its_events_are_gone(made: Callable[[Path], None], tmp_path: Path) -> None:
    """Under 1 MB again after 20,000 events, with what it still holds."""
    path = tmp_path / "state.db"
    made(path)
    file = await open_file(path)
    queue = SqliteEventQueue(file)
    for first in range(0, 20_000, 1000):
        async with anyio.create_task_group() as group:
            for number in range(first, first + 1000):
                group.start_soon(queue.add, event(number, payload=b"1" * 1000))
    full = size_of(tmp_path)

    await file.do(lambda db: db.execute("DELETE FROM events WHERE request_id <> 'id-7'"))
    await queue.tidy()
    size = size_of(tmp_path)
    (row,) = await SqliteEventQueue(file).take(lambda _: 20_000, now=NOW)
    await file.close()

    assert full > 20_000_000
    assert size < 1_000_000
    assert row.payload == b"1" * 1000


async def test_work_is_done_while_a_file_shrinks(tmp_path: Path) -> None:
    """Its pages are given back in steps, between which others have their turn."""
    file = await open_file(tmp_path / "state.db")
    queue = SqliteEventQueue(file)
    for number in range(40):
        await queue.add(event(number, payload=b"1" * 1_000_000))
    for left in await queue.take(lambda _: 40, now=NOW):
        await queue.remove(left)
    done: list[str] = []

    async def tidy() -> None:
        await queue.tidy()
        done.append("shrunk")

    async def add() -> None:
        await queue.add(event(1))
        done.append("added")

    async with anyio.create_task_group() as group:
        group.start_soon(tidy)
        group.start_soon(add)
    await file.close()

    assert done == ["added", "shrunk"]


async def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Positions decide over loss."""
    path = tmp_path / "deep" / "state.db"
    store = await opened(path)
    await store._file.close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A downgrade must not read what it does not know."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StateRefused, match="newer version"):
        await opened(path)


_VERSION_1 = """
CREATE TABLE leases (
    mapping TEXT NOT NULL, shard TEXT NOT NULL, incarnation TEXT NOT NULL, parents TEXT NOT NULL,
    checkpoint TEXT NOT NULL, owner TEXT, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,
    PRIMARY KEY (mapping, shard)
) WITHOUT ROWID;
INSERT INTO leases VALUES ('m', 's', 'i', 'p1 p2', 'AFTER_SEQUENCE_NUMBER:42', 'w1', 3, 7);
PRAGMA user_version = 1;
"""


async def test_a_file_of_version_1_is_brought_up_to_date(tmp_path: Path) -> None:
    """It keeps its leases, has no window open, and takes one from now on; also when it is opened again."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(_VERSION_1)
    connection.close()
    window = WindowState(window=TimeWindow(start=60, end=120), state=b"{}")

    store = await opened(path)
    (old,) = await store.list("m")
    await store.checkpoint(old, Position.after("43"), window)
    await store._file.close()
    again = await opened(path)
    (row,) = await again.list("m")
    await again._file.close()

    assert old == Lease(
        mapping="m",
        shard="s",
        incarnation="i",
        checkpoint=Position.after("42"),
        parents=("p1", "p2"),
        owner="w1",
        epoch=3,
        counter=7,
    )
    assert (row.checkpoint, row.window) == (Position.after("43"), window)


async def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """It is never silently made anew: that would move every position."""
    path = tmp_path / "state.db"
    path.write_bytes(b"this is no database, and it is long enough to look like one" * 20)

    with pytest.raises(StateRefused, match="damaged"):
        await opened(path)


async def test_a_place_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """With the reason of the system."""
    with pytest.raises(StateRefused, match="cannot be used"):
        await opened(tmp_path)


async def test_a_full_disk_is_a_passing_failure(tmp_path: Path) -> None:
    """The write is refused, nothing is half written, and it works again when there is room."""
    store = await opened(tmp_path / "state.db")
    pages = store._file._connection.execute("PRAGMA page_count").fetchone()[0]
    store._file._connection.execute(f"PRAGMA max_page_count = {pages}")
    many = [
        Lease(mapping="m", shard=f"s{n}" * 50, incarnation="i", checkpoint=Position.trim_horizon())
        for n in range(200)
    ]

    with pytest.raises(StateUnavailable, match="cannot be written"):
        await store.create(many)
    assert list(await store.list("m")) == []

    store._file._connection.execute("PRAGMA max_page_count = 100000")
    await store.create(many)
    assert len(await store.list("m")) == len(many)
    await store._file.close()


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX kill")
async def test_the_lock_ends_with_its_process_however_it_ends(tmp_path: Path) -> None:
    """After kill -9 the next process opens the file."""
    path = tmp_path / "state.db"
    script = (
        "import anyio, os, pathlib, signal, sys\n"
        "from poller.state import open_file\n"
        "async def main():\n"
        "    store = await open_file(pathlib.Path(sys.argv[1]))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "anyio.run(main)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=30)

    store = await opened(path)
    await store._file.close()

    assert killed.returncode == -9
