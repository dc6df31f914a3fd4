"""Create, Get, List, Update and Delete over a store, in AWS's order of checks and with its texts. No HTTP."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol, TypeVar
from uuid import uuid4

from mappings.arns import EventSource, FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import (
    AlreadyMapped,
    InvalidParameterValueException,
    MappingError,
    ResourceConflictException,
    ResourceNotFoundException,
    ServiceException,
    VersionChanged,
)
from mappings.functions import Function
from mappings.listing import Listing
from mappings.model import EventSourceMapping
from mappings.rules import filter_rules, setting_rules
from mappings.states import Action, state_after
from mappings.store import MappingStore, StoredMapping
from mappings.telemetry import log_cautions
from mappings.validation import (
    built_mapping,
    event_source_of,
    patched_request,
    typed_request,
)
from mappings.wire import CreateRequest, configuration_of, request_of

# A write that meets another one is made again over what that one left; the poller's own are few.
TRIES = 5

Written = TypeVar("Written")
Change = Callable[[StoredMapping], Awaitable[StoredMapping]]


class Admission(Protocol):
    """What the outside world says of a mapping that a client asks for.

    Each method raises the MappingError that AWS answers with: where the source cannot be asked at all, a
    ServiceException, which clients try again.
    """

    def options(self, mapping: EventSourceMapping) -> None:
        """Refuse an option that this process, as it was started, cannot obey."""
        ...

    async def function(self, function: Function) -> None:
        """Refuse a function that does not exist."""
        ...

    async def source(self, mapping: EventSourceMapping, function: Function, *, making: bool) -> float | None:
        """Refuse a source that does not exist, denies access, or does not fit the function's timeout.

        `making` says that LATEST is now; for a mapping that exists it is what it was when that was made.
        Returns the source's clock in epoch seconds, None where it does not tell.
        """
        ...

    async def destination(self, mapping: EventSourceMapping) -> None:
        """Refuse an on-failure destination that is known not to take what it would be sent."""
        ...


class MappingOperations:
    """The operations on mappings; what one returns is durable."""

    def __init__(
        self,
        store: MappingStore,
        directory: FunctionDirectory,
        admission: Admission,
        *,
        wall: Callable[[], float],
        changed: Callable[[], None],
    ) -> None:
        """Serve a store.

        Args:
            store: Where mappings are kept.
            directory: The functions a client may name.
            admission: Asks sources, functions and destinations.
            wall: Tells epoch seconds.
            changed: Called after each write: whoever polls is to look again.
        """
        self._store = store
        self._directory = directory
        self._admission = admission
        self._wall = wall
        self._changed = changed

    async def create(self, request: Mapping[str, object]) -> dict[str, object]:
        """CreateEventSourceMapping; the request keeps its declared constraints."""
        typed = typed_request(request)
        source = event_source_of(typed)
        function = await self._function(typed["FunctionName"])
        now = self._wall()
        _refuse(setting_rules(typed, source, now=now))
        mapping = built_mapping(typed, str(uuid4()), self._directory)
        self._admission.options(mapping)
        latest_at = await self._admission.source(mapping, function, making=True)
        await self._admission.destination(mapping)
        _refuse(filter_rules(typed, source))
        action = Action.CREATE if mapping.enabled else Action.CREATE_DISABLED
        stored = StoredMapping(
            mapping=mapping,
            state=state_after(action, None, source.kind),
            created_at=now,
            last_modified=now,
            tags=typed.get("Tags", {}),
            latest_at=latest_at if latest_at is not None else now,
        )
        await self._write(mapping, partial(self._store.add, stored))
        return configuration_of(stored)

    async def get(self, uuid: str) -> dict[str, object]:
        """GetEventSourceMapping."""
        return configuration_of(await self.find(uuid))

    async def list(self, listing: Listing) -> dict[str, object]:
        """ListEventSourceMappings."""
        page, marker = listing.page(await self._store.list(), self._directory)
        shown: dict[str, object] = {"EventSourceMappings": [configuration_of(stored) for stored in page]}
        return shown if marker is None else {**shown, "NextMarker": marker}

    async def update(self, uuid: str, request: Mapping[str, object]) -> dict[str, object]:
        """UpdateEventSourceMapping; the request, without the UUID, keeps its declared constraints."""
        changes = typed_request(request)
        return configuration_of(await self._change(uuid, lambda stored: self._updated(stored, changes)))

    async def delete(self, uuid: str) -> dict[str, object]:
        """DeleteEventSourceMapping: its pollers end first, then it is gone."""

        async def deleted(stored: StoredMapping) -> StoredMapping:
            state = state_after(Action.DELETE, stored.state, stored.mapping.event_source.kind)
            return replace(stored, state=state, last_modified=self._wall())

        return configuration_of(await self._change(uuid, deleted))

    async def find(self, uuid: str) -> StoredMapping:
        """Return a mapping as it is kept; raise ResourceNotFoundException where there is none."""
        # Lower case is how it was given; a client that shouts means the same.
        stored = await self._store.get(uuid.lower())
        if stored is None:
            raise ResourceNotFoundException("The resource you requested does not exist.")
        return stored

    async def _updated(self, stored: StoredMapping, changes: CreateRequest) -> StoredMapping:
        before = stored.mapping
        kind = before.event_source.kind
        typed = patched_request(request_of(before), changes)
        state = state_after(_action(before, enabled=typed["Enabled"]), stored.state, kind)
        after = await self._admitted(before, typed, changes)
        return replace(stored, mapping=after, state=state, last_modified=self._wall())

    async def _admitted(
        self, before: EventSourceMapping, typed: CreateRequest, changes: CreateRequest
    ) -> EventSourceMapping:
        """Check an update; what it does not touch is not looked at again (semantics 1.4.7, 1.4.15)."""
        source = EventSource.parse(typed["EventSourceArn"])
        function = await self._function(typed["FunctionName"]) if "FunctionName" in changes else None
        _refuse(setting_rules(typed, source, now=self._wall()))
        after = built_mapping(typed, before.uuid, self._directory)
        self._admission.options(after)
        if function is not None:
            await self._admission.source(after, function, making=False)
        if after.on_failure_destination != before.on_failure_destination:
            await self._admission.destination(after)
        _refuse(filter_rules(typed, source))
        return after

    async def _change(self, uuid: str, change: Change) -> StoredMapping:
        for _ in range(TRIES):
            seen = await self.find(uuid)
            refuse_if_of_file(seen)
            changed = await change(seen)
            try:
                return await self._write(changed.mapping, partial(self._store.replace, changed))
            except VersionChanged:
                continue
        raise ServiceException("The event source mapping is being changed by others; try again.")

    async def _write(self, mapping: EventSourceMapping, write: Callable[[], Awaitable[Written]]) -> Written:
        try:
            written = await write()
        except AlreadyMapped as error:
            raise _conflict(mapping, error.uuid) from error
        log_cautions(mapping)
        self._changed()
        return written

    async def _function(self, function_name: str) -> Function:
        function = self._directory.find(function_name)
        if function is None:
            raise InvalidParameterValueException("Function does not exist", field="FunctionName")
        await self._admission.function(function)
        return function


def refuse_if_of_file(stored: StoredMapping) -> None:
    """Raise InvalidParameterValueException for a mapping that only its file may change."""
    if stored.file is not None:
        raise InvalidParameterValueException(
            f"The event source mapping {stored.uuid} is defined in the mapping file {stored.file} and can "
            "only be changed there."
        )


def _refuse(findings: Iterable[MappingError]) -> None:
    for error in findings:
        raise error


def _action(before: EventSourceMapping, *, enabled: bool) -> Action:
    if enabled == before.enabled:
        return Action.UPDATE
    return Action.ENABLE if enabled else Action.DISABLE


def _conflict(mapping: EventSourceMapping, uuid: str) -> ResourceConflictException:
    """AWS's two texts; the blanks inside the quotes are its own (semantics 1.4.21)."""
    arn, function = mapping.event_source.arn, FunctionName.parse(mapping.function_arn).name
    if mapping.event_source.kind.is_stream:
        what = (
            f'The event source arn (" {arn} ") and function (" {function} ") provided mapping already exists.'
        )
    else:
        what = (
            f'An event source mapping with SQS arn (" {arn} ") and function (" {function} ") already exists.'
        )
    return ResourceConflictException(f"{what} Please update or delete the existing mapping with UUID {uuid}")
