"""Mapping files on the disk: notices that they have changed, and has what they say now taken up."""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from os import stat_result
from pathlib import Path

import anyio.to_thread
import structlog

from mappings.errors import InvalidFile, StoreUnavailable, VersionChanged
from mappings.files import MappingSet, read_mapping_files
from mappings.home import Home
from mappings.readers.answers import Given
from poller.errors import StartError
from poller.telemetry import Log
from poller.waiting import Drain

# A ConfigMap is updated by swapping a symbolic link; looking at times and inodes sees that as it sees edits.
LOOK_S = 2.0

Fingerprint = tuple[tuple[str, int, int, int], ...]


class FileWatcher:
    """Looks at the files now and then. What they say is taken up whole or not at all."""

    def __init__(
        self,
        paths: Sequence[Path | str],
        take_up: Callable[[MappingSet], Awaitable[None]],
        given: Given | None = None,
        *,
        home: Home | None = None,
        included: Sequence[str] = (),
        again: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Watch files and directories that were read a moment ago.

        Args:
            paths: As they were given.
            take_up: Makes what the files say the state of things. What it raises leaves the old state.
            given: What the user says beside the files; it stays what it was at the start.
            home: Where the functions are that the files define.
            included: Other files that these took in.
            again: Called at each look at files that stayed the same.
        """
        self._paths = [Path(path) for path in paths]
        self._take_up = take_up
        self._given = given
        self._home = home
        self._again = again or _nothing
        self._included = [Path(path) for path in included]
        self._taken_up = fingerprint([*self._paths, *self._included])
        self._told: tuple[str, ...] = ()

    async def run(self, drain: Drain) -> None:
        """Look until draining begins."""
        while not drain.requested:
            await drain.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        seen = await anyio.to_thread.run_sync(fingerprint, [*self._paths, *self._included])
        if seen == self._taken_up:
            await self._look_again()
            return
        log = structlog.get_logger()
        try:
            found = await anyio.to_thread.run_sync(self._read)
            await self._take_up(found)
        except InvalidFile as error:
            self._refused(error.problems)
        except (StartError, StoreUnavailable) as error:
            self._refused((str(error),))
        except VersionChanged:
            pass  # a State came to rest meanwhile: the next look writes the rest
        except Exception as error:  # noqa: BLE001  # no file that changes ends what polls
            self._refused((f"the files cannot be taken up: {type(error).__name__}: {error}",))
        else:
            # Where other files are taken in from now on, the next look reads all once more.
            self._taken_up, self._told = seen, ()
            self._included = [Path(path) for path in found.included]
            log.info(Log.FILES_TAKEN_UP, mappings=len(found.mappings), functions=len(found.functions))

    async def _look_again(self) -> None:
        try:
            await self._again()
        except StoreUnavailable:
            return  # the next look is soon

    def _read(self) -> MappingSet:
        return read_mapping_files(self._paths, now=time.time(), given=self._given, home=self._home)

    def _refused(self, problems: tuple[str, ...]) -> None:
        """Say it once; the files are read again at each look, because what they lack may come."""
        if problems != self._told:
            self._told = problems
            structlog.get_logger().error(Log.FILES_REFUSED, problems=problems)


def fingerprint(paths: Sequence[Path]) -> Fingerprint:
    """Return what changes whenever one of the files, or which files there are, changes."""
    return tuple(sorted(_seen(paths)))


def _seen(paths: Sequence[Path]) -> Iterator[tuple[str, int, int, int]]:
    for path in paths:
        try:
            inside = list(path.iterdir()) if path.is_dir() else [path]
        except OSError:
            inside = [path]
        for file in inside:
            yield (str(file), *_stamp(file))


def _stamp(file: Path) -> tuple[int, int, int]:
    try:
        found: stat_result = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


async def _nothing() -> None:
    """There is nothing to do."""
