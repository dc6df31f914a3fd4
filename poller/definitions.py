"""Takes up what mapping files say, all or nothing: functions are hosted, mappings stand in their layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import AlreadyMapped, InvalidFile, VersionChanged
from mappings.file_layer import Waiting, file_changes, without_taken, write_changes
from mappings.files import MappingSet
from mappings.functions import HandlerFunction
from mappings.home import Home
from mappings.identities import Known, identified, known_of, remembered
from mappings.model import EventSourceMapping
from mappings.states import State
from mappings.store import MappingStore, StoredMapping
from mappings.telemetry import log_cautions
from poller.admission import METRICS_OFF
from poller.aws import Aws
from poller.errors import DestinationUnsuitable
from poller.file_book import FileBook
from poller.functions.hosted import HostedFunctions
from poller.targets import default_arn
from poller.telemetry import Log
from poller.workshop import destination_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What the files of a worker define."""

    directory: FunctionDirectory
    """Lists the functions that were taken up last."""
    hosted: HostedFunctions
    aws: Aws
    files: MappingStore
    """The layer of files alone."""
    store: MappingStore
    """Both layers."""
    book: FileBook
    """By which UUIDs the mappings of files are known."""
    changed: Callable[[], None]
    """Called when something else is to run from now on."""
    wall: Callable[[], float]
    metrics: bool
    """Whether metrics are exported, so that MetricsConfig can be obeyed."""
    allow_removal: bool
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """Entries of the files, by the UUID of the mapping of the API that is in their way."""

    async def take_up(self, found: MappingSet) -> None:
        """Make what the files say the state of things.

        Raises:
            InvalidFile: They do not fit the process.
            StartError: A handler is not where they say.
            StoreUnavailable: The state cannot be read now.
        """
        found = await self._at_home(found)
        problems = tuple(self._problems(found))
        if problems:
            raise InvalidFile(problems)
        current = await self.files.list()
        before = await self._known(
            found, [stored.mapping for stored in current if stored.state is not State.DELETING]
        )
        found = identified(found, before)
        changes = file_changes(current, found, now=self.wall(), allow_removal=self.allow_removal)
        changes, waiting = await without_taken(self.store, changes)
        await self.hosted.keep(_handlers(found, self.directory.home))
        # A name that is not listed is AWS Lambda's. So none that a mapping has, before or after, is missing
        # while it is written: somebody may look in between.
        self.directory.listed = {**self.directory.listed, **found.functions}
        await self._remember(found, before)
        self._wait_for([*waiting, *await write_changes(self.store, changes)])
        for stored in (*changes.added, *changes.changed):
            if stored.wanted:
                log_cautions(stored.mapping)
        self.directory.listed = found.functions
        await self._rename_made()
        self.changed()

    async def _known(self, found: MappingSet, current: Sequence[EventSourceMapping]) -> Sequence[Known]:
        """What is known of the sources: of streams what the state remembers, of queues what runs."""
        streams = [each.event_source for each in (*found.mappings, *current) if _is_stream(each)]
        queues = [known_of(each) for each in current if not _is_stream(each)]
        return [*await self.book.read(source.arn for source in streams), *queues]

    async def _remember(self, found: MappingSet, before: Sequence[Known]) -> None:
        """Keep what the mappings of streams are known by; settle what other StartingPositions mean."""
        streams = {each.uuid: each for each in found.mappings if _is_stream(each)}
        earlier = {each.uuid: each for each in before if each.starting}  # of a queue nothing is kept
        after = []
        for known in remembered(streams.values(), earlier.values()):
            then = earlier.get(known.uuid, known)
            if known.standing and then.starting != known.starting:
                settled = await self.book.restart(streams[known.uuid], known.starting)
                after.append(known if settled else replace(known, starting=then.starting))
            else:
                after.append(known)
        await self.book.write(earlier.values(), after)

    async def look_again(self) -> None:
        """Add the entries whose mapping of the API is gone."""
        for waiting in list(self.waiting.values()):
            try:
                await self.store.add(waiting.entry)
            except AlreadyMapped:
                continue
            del self.waiting[waiting.taken_by]
            structlog.get_logger().info(Log.MAPPING_RECOVERED, mapping=waiting.entry.mapping.label)
            self.changed()

    def heir(self, removed: StoredMapping) -> str | None:
        """The UUID of the entry that goes on where a mapping of the API ends; None where there is none."""
        waiting = self.waiting.get(removed.uuid)
        return None if waiting is None else waiting.entry.uuid

    def problems_of(self, uuid: str) -> Sequence[str]:
        """What files say of a mapping of the API, and is not done."""
        waiting = self.waiting.get(uuid)
        return () if waiting is None else (waiting.problem,)

    def _wait_for(self, found: Sequence[Waiting]) -> None:
        before = {uuid: waiting.problem for uuid, waiting in self.waiting.items()}
        self.waiting.clear()
        self.waiting.update({waiting.taken_by: waiting for waiting in found})
        for waiting in found:
            if before.get(waiting.taken_by) != waiting.problem:
                structlog.get_logger().error(
                    Log.MAPPING_PROBLEM, mapping=waiting.entry.mapping.label, problem=waiting.problem
                )

    async def _at_home(self, found: MappingSet) -> MappingSet:
        """Call every function what it is called in this process."""
        directory = replace(self.directory, listed=found.functions)
        if self.directory.home.account is None and any(
            name.is_local and name.name not in found.functions
            for name in (FunctionName.parse(mapping.function_name) for mapping in found.mappings)
        ):
            account = await self.aws.account(self.directory.home.region)
            directory.home = self.directory.home = replace(self.directory.home, account=account)
        return replace(found, mappings=tuple(_renamed(each, directory) for each in found.mappings))

    async def _rename_made(self) -> None:
        """Call the functions of the API's mappings what the files call them from now on."""
        for stored in await self.store.list():
            mapping = _renamed(stored.mapping, self.directory)
            if stored.file is None and mapping != stored.mapping:
                try:
                    await self.store.replace(replace(stored, mapping=mapping))
                except (AlreadyMapped, VersionChanged):
                    continue  # the other one runs as well; the next look at the files tries again

    def _problems(self, found: MappingSet) -> Iterator[str]:
        directory = replace(self.directory, listed=found.functions)
        for mapping in found.mappings:
            place = f"{found.file_of[mapping.uuid]}: {mapping.label}"
            if directory.of_file(mapping.function_name) is None:
                yield f"{place}: FunctionName {mapping.function_name} is not listed in functions"
            if mapping.metrics and not self.metrics:
                yield f"{place}: {METRICS_OFF}"
            try:
                destination_of(mapping, self.aws)
            except DestinationUnsuitable as error:
                yield f"{place}: {error}"


def _handlers(found: MappingSet, home: Home) -> Mapping[HandlerFunction, str]:
    """Every handler that is listed, with its ARN."""
    return {
        function: default_arn(function, home)
        for function in found.functions.values()
        if isinstance(function, HandlerFunction)
    }


def _renamed(mapping: EventSourceMapping, directory: FunctionDirectory) -> EventSourceMapping:
    arn = directory.arn_of(mapping.function_name, mapping.event_source)
    return mapping if arn == mapping.function_arn else replace(mapping, function_arn=arn)


def _is_stream(mapping: EventSourceMapping) -> bool:
    return mapping.event_source.kind.is_stream
