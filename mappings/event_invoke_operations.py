"""Put, Update, Get, Delete and List FunctionEventInvokeConfig over a store. No HTTP."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import anyio

from mappings.directory import FunctionDirectory
from mappings.errors import InvalidParameterValueException, ResourceNotFoundException
from mappings.event_invoke import EventInvokeConfig, EventInvokeConfigStore, Parameters, settings_given
from mappings.event_invoke_rules import check_destinations
from mappings.function_options import LATEST
from mappings.functions import LambdaFunction
from mappings.resolution import Asked, Resolved, resolve

MAXIMUM_PAGE = 50


class EventInvokeOperations:
    """The operations on the settings of listed functions."""

    def __init__(
        self, store: EventInvokeConfigStore, directory: FunctionDirectory, *, wall: Callable[[], float]
    ) -> None:
        self._store = store
        self._directory = directory
        self._wall = wall
        self._changing = anyio.Lock()

    async def put(self, request: Parameters, region: str | None) -> dict[str, object]:
        """PutFunctionEventInvokeConfig: what is not given is taken back."""
        asked, function, qualifier = self._checked(request, region)
        given = settings_given(request)
        config = EventInvokeConfig(function=function, qualifier=qualifier, last_modified=self._wall())
        return await self._keep(replace(config, **given), asked)  # type: ignore[arg-type]  # fields of its own

    async def update(self, request: Parameters, region: str | None) -> dict[str, object]:
        """UpdateFunctionEventInvokeConfig: what is not given stays."""
        asked, function, qualifier = self._checked(request, region)
        async with self._changing:
            before = await self._store.get(function, qualifier)
            if before is None:
                raise _nothing(asked, qualifier)
            given = settings_given(request)
            config = replace(before, last_modified=self._wall(), **given)  # type: ignore[arg-type]
            return await self._keep(config, asked)

    async def get(self, request: Parameters, region: str | None) -> dict[str, object]:
        """GetFunctionEventInvokeConfig."""
        asked = Asked.of(request, region, self._directory.home)
        qualifier = asked.name.qualifier or LATEST
        found = await self._store.get(asked.name.name, qualifier)
        if found is None or resolve(asked, self._directory.listed) is None:
            raise _nothing(asked, qualifier)
        return found.document(asked.arn_of(qualifier))

    async def delete(self, request: Parameters, region: str | None) -> None:
        """DeleteFunctionEventInvokeConfig."""
        asked = Asked.of(request, region, self._directory.home)
        self._existing(asked)
        qualifier = asked.name.qualifier or LATEST
        if not await self._store.remove(asked.name.name, qualifier):
            raise _nothing(asked, qualifier)

    async def list(self, request: Parameters, region: str | None) -> dict[str, object]:
        """ListFunctionEventInvokeConfigs, one page."""
        asked = Asked.of(request, region, self._directory.home)
        self._existing(asked)
        after = _read_marker(cast("str | None", request.get("Marker")))
        size = min(cast("int", request.get("MaxItems", MAXIMUM_PAGE)), MAXIMUM_PAGE)
        found = [each for each in await self._store.list(asked.name.name) if each.qualifier > after]
        page = found[:size]
        shown = [each.document(asked.arn_of(each.qualifier)) for each in page]
        more = {"NextMarker": _marker(page[-1].qualifier)} if len(found) > size else {}
        return {"FunctionEventInvokeConfigs": shown, **more}

    def _checked(self, request: Parameters, region: str | None) -> tuple[Asked, str, str]:
        """Return whose settings a request changes, having found nothing wrong with it."""
        asked = Asked.of(request, region, self._directory.home)
        given = settings_given(request)
        if not given:
            raise InvalidParameterValueException(
                "You must specify at least one of error handling or destination setting."
            )
        found = self._existing(asked)
        if isinstance(found.function, LambdaFunction):
            raise InvalidParameterValueException(
                f"The function {asked.name.name} is one of AWS Lambda, which invokes it asynchronously "
                "itself: set its event invoke config there.",
                field="FunctionName",
            )
        check_destinations(asked.name.name, given, self._directory)
        return asked, asked.name.name, asked.name.qualifier or LATEST

    def _existing(self, asked: Asked) -> Resolved:
        found = resolve(asked, self._directory.listed)
        if found is None:
            raise ResourceNotFoundException("The function doesn't exist.")
        return found

    async def _keep(self, config: EventInvokeConfig, asked: Asked) -> dict[str, object]:
        await self._store.put(config)
        return config.document(asked.arn_of(config.qualifier))


def _nothing(asked: Asked, qualifier: str) -> ResourceNotFoundException:
    return ResourceNotFoundException(
        f"The function {asked.arn_of(qualifier)} doesn't have an EventInvokeConfig"
    )


def _marker(qualifier: str) -> str:
    return base64.urlsafe_b64encode(qualifier.encode()).decode()


def _read_marker(marker: str | None) -> str:
    try:
        return "" if marker is None else base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        raise InvalidParameterValueException("Invalid Marker", field="Marker") from None
