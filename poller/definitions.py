"""Takes up what mapping files say, all or nothing: functions are hosted, mappings stand in their layer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidFile
from mappings.file_layer import file_changes, refuse_taken, write_changes
from mappings.files import MappingSet
from mappings.functions import HandlerFunction
from mappings.store import MappingStore
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
        problems = tuple(self._problems(found))
        if problems:
            raise InvalidFile(problems)
        changes = file_changes(
            await self.files.list(), found, now=self.wall(), allow_removal=self.allow_removal
        )
        await refuse_taken(self.store, changes)
        await self.hosted.keep(_handlers(found))
        # A name that is not listed is AWS Lambda's. So none that a mapping has, before or after, is missing
        # while it is written: somebody may look in between.
        self.directory.listed = {**self.directory.listed, **found.functions}
        await write_changes(self.store, changes)
        self.directory.listed = found.functions
        self.changed()

    def _problems(self, found: MappingSet) -> Iterator[str]:
        directory = FunctionDirectory(found.functions, functions_only=self.directory.functions_only)
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


def _handlers(found: MappingSet) -> Mapping[HandlerFunction, str]:
    """Every handler that is listed, with the ARN of the first mapping that invokes it."""
    arns: dict[str, str] = {}
    for mapping in found.mappings:
        arns.setdefault(FunctionName.parse(mapping.function_name).name, mapping.function_arn)
    return {
        function: arns.get(name, default_arn(function))
        for name, function in found.functions.items()
        if isinstance(function, HandlerFunction)
    }
