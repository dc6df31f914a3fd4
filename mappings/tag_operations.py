"""TagResource, UntagResource and ListTags of mappings. No HTTP."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mappings.arns import Arn, FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import (
    InvalidParameterValueException,
    ResourceNotFoundException,
    ServiceException,
    VersionChanged,
)
from mappings.operations import TRIES, refuse_if_of_file
from mappings.resolution import Asked, resolve
from mappings.store import MappingStore, StoredMapping
from mappings.tags import shown_tags, with_tags, without_tags

_MAPPING = "event-source-mapping:"


class TagOperations:
    """The operations on tags. Only mappings have tags here; a function has none, and takes none."""

    def __init__(self, store: MappingStore, directory: FunctionDirectory) -> None:
        self._store = store
        self._directory = directory

    async def tag(self, resource: str, tags: Mapping[str, str]) -> None:
        """TagResource."""
        self._refuse_function(resource)
        await self._change(resource, lambda old: with_tags(old, tags))

    async def untag(self, resource: str, keys: Sequence[str]) -> None:
        """UntagResource."""
        self._refuse_function(resource)
        await self._change(resource, lambda old: without_tags(old, keys))

    async def list(self, resource: str) -> dict[str, object]:
        """ListTags."""
        if not Arn.parse(resource).resource.startswith(_MAPPING):
            self._function(resource)
            return {"Tags": {}}
        stored = await self._find(resource)
        return {"Tags": shown_tags(stored.tags, stored.file)}

    async def _change(self, resource: str, change: Callable[[Mapping[str, str]], Mapping[str, str]]) -> None:
        for _ in range(TRIES):
            stored = await self._find(resource)
            refuse_if_of_file(stored)
            try:
                await self._store.replace(replace(stored, tags=change(stored.tags)))
            except VersionChanged:
                continue
            return
        raise ServiceException("The event source mapping is being changed by others; try again.")

    async def _find(self, resource: str) -> StoredMapping:
        stored = await self._store.get(Arn.parse(resource).resource.removeprefix(_MAPPING).lower())
        if stored is None or stored.mapping.event_source_mapping_arn != resource:
            raise ResourceNotFoundException(f"Event source mapping not found: {resource}")
        return stored

    def _refuse_function(self, resource: str) -> None:
        if not Arn.parse(resource).resource.startswith(_MAPPING):
            self._function(resource)
            raise InvalidParameterValueException("Tags of functions are not kept here.")

    def _function(self, resource: str) -> None:
        """Refuse what is not the ARN of a function that is listed."""
        try:
            name = FunctionName.parse(resource)
        except ValueError as error:
            raise InvalidParameterValueException(str(error)) from error
        if name.qualifier is not None:
            raise InvalidParameterValueException(
                "Tags on function aliases and versions are not supported. Please specify a function ARN."
            )
        asked = Asked(name=name, region=self._directory.home.region, home=self._directory.home)
        if resolve(asked, self._directory.listed) is None:
            raise asked.missing(resource)
