"""Makes what runs one mapping: its source, function and destination, and the runner over them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mappings.directory import FunctionDirectory
from mappings.functions import Function, concurrency_of
from mappings.model import EventSourceMapping, StartingPosition
from mappings.store import StoredMapping
from poller.aws import Aws
from poller.destinations import make_destination
from poller.fleet import Fleet
from poller.functions.hosted import HostedFunctions
from poller.interfaces import Destination, LeaseStore, Source
from poller.latest import LatestReaders, LatestSource
from poller.rules import Tempo
from poller.runner import Runner, RunnerParts
from poller.sources import SourceParts, make_source
from poller.surroundings import Surroundings
from poller.targets import open_target
from poller.targets.timeouts import FunctionTimeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsWorkshop:
    """Works with AWS, or what stands in for it, and with the functions that are listed."""

    directory: FunctionDirectory
    hosted: HostedFunctions
    aws: Aws
    timeouts: FunctionTimeouts
    leases: LeaseStore
    fleet: Fleet
    """The workers that share the leases."""
    tempo: Tempo
    surroundings: Surroundings
    latest: LatestReaders

    def find(self, stored: StoredMapping) -> Function | None:
        """What the mapping invokes; None where that is no longer there."""
        if stored.file is None:
            return self.directory.find(stored.mapping.function_name)
        return self.directory.of_file(stored.mapping.function_name)

    @asynccontextmanager
    async def runner(
        self, stored: StoredMapping, function: Function, on_polling: Callable[[], None]
    ) -> AsyncIterator[Runner]:
        """A runner and what it works with.

        Raises:
            StartError: A handler cannot be imported.
            DestinationUnsuitable: The mapping's destination is none.
        """
        mapping = stored.mapping
        opened = open_target(
            function, mapping.function_arn, aws=self.aws, hosted=self.hosted, timeouts=self.timeouts
        )
        async with opened as target:
            parts = RunnerParts(
                source=self._source(stored, await self.timeouts.ask(function, mapping.function_arn)),
                target=target,
                destination=destination_of(mapping, self.aws),
                leases=self.leases,
                fleet=self.fleet,
                tempo=self.tempo,
                surroundings=self.surroundings,
                concurrency=concurrency_of(function),
                latest_at=stored.latest_at,
            )
            yield Runner(mapping, parts, on_polling=on_polling)

    def _source(self, stored: StoredMapping, timeout_s: float | None) -> Source:
        parts = SourceParts(
            aws=self.aws,
            clock=self.surroundings.clock,
            long_poll_s=self.tempo.long_poll_s,
            timeout_s=timeout_s,
        )
        source = make_source(stored.mapping, parts)
        if stored.latest_at is None or stored.mapping.starting_position is not StartingPosition.LATEST:
            return source
        return LatestSource(source, self.latest.take(stored.uuid))


def destination_of(mapping: EventSourceMapping, aws: Aws) -> Destination | None:
    """The on-failure destination of a mapping, if it has one. Raises DestinationUnsuitable."""
    arn = mapping.on_failure_destination
    return make_destination(arn, region=mapping.event_source.region, aws=aws) if arn else None
