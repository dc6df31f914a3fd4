"""Event invoke configs in a DynamoDB table, beside the mappings."""

from collections.abc import Sequence
from typing import Any

from mappings.event_invoke import EventInvokeConfig
from mappings.stores.dynamodb_table import SORT, THERE, ConditionFailed, Item, Table, Value

# Of a function; a function has a handful of qualifiers.
_PARTITION = "event-invoke/{}"


class DynamoDbEventInvokeConfigStore:
    """Keeps settings in a table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def get(self, function: str, qualifier: str) -> EventInvokeConfig | None:
        """The settings under one qualifier."""
        item = await self._table.get(_PARTITION.format(function), qualifier)
        return None if item is None else _config(function, item)

    async def list(self, function: str) -> Sequence[EventInvokeConfig]:
        """All settings of a function."""
        return [_config(function, item) for item in await self._table.query(_PARTITION.format(function))]

    async def put(self, config: EventInvokeConfig) -> None:
        """Keep settings."""
        fields: dict[str, Value | None] = {
            "last_modified": repr(config.last_modified),
            "maximum_retry_attempts": config.maximum_retry_attempts,
            "maximum_event_age_in_seconds": config.maximum_event_age_in_seconds,
            "on_success": config.on_success,
            "on_failure": config.on_failure,
        }
        item = {name: value for name, value in fields.items() if value is not None}
        await self._table.put(_PARTITION.format(config.function), config.qualifier, item)

    async def remove(self, function: str, qualifier: str) -> bool:
        """Forget settings."""
        try:
            await self._table.delete(_PARTITION.format(function), qualifier, when=THERE)
        except ConditionFailed:
            return False
        return True


def _config(function: str, item: Item) -> EventInvokeConfig:
    fields: dict[str, Any] = {name: value for name, value in item.items() if name != SORT}
    fields["last_modified"] = float(fields["last_modified"])
    return EventInvokeConfig(function=function, qualifier=str(item[SORT]), **fields)
