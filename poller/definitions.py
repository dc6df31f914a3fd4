"""Takes up what mapping files say, all or nothing: functions are hosted, mappings stand in their layer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import AlreadyMapped, InvalidFile, VersionChanged
from mappings.file_layer import file_changes, refuse_taken, write_changes
from mappings.files import MappingSet
from mappings.functions import HandlerFunction
from mappings.home import Home
from mappings.model import EventSourceMapping
from mappings.store import MappingStore
from mappings.telemetry import log_cautions
from poller.admission import METRICS_OFF
from poller.aws import Aws
from poller.errors import DestinationUnsuitable
from poller.functions.hosted import HostedFunctions
from poller.targets import default_arn
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
    changed: Callable[[], None]
    """Called when something else is to run from now on."""
    wall: Callable[[], float]
    metrics: bool
    """Whether metrics are exported, so that MetricsConfig can be obeyed."""
    allow_removal: bool

    async def take_up(self, found: MappingSet) -> None:
        """Make what the files say the state of things.

        Raises:
            InvalidFile: They do not fit the process, or what was made through the API.
            StartError: A handler is not where they say.
            StoreUnavailable: The state cannot be read now.
        """
        found = await self._at_home(found)
        problems = tuple(self._problems(found))
        if problems:
            raise InvalidFile(problems)
        changes = file_changes(
            await self.files.list(), found, now=self.wall(), allow_removal=self.allow_removal
        )
        await refuse_taken(self.store, changes)
        await self.hosted.keep(_handlers(found, self.directory.home))
        # A name that is not listed is AWS Lambda's. So none that a mapping has, before or after, is missing
        # while it is written: somebody may look in between.
        self.directory.listed = {**self.directory.listed, **found.functions}
        await write_changes(self.store, changes)
        for stored in (*changes.added, *changes.changed):
            if stored.wanted:
                log_cautions(stored.mapping)
        self.directory.listed = found.functions
        await self._rename_made()
        self.changed()

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
