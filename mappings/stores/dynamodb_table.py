"""One DynamoDB table that a fleet shares: items by partition and sort key, written on conditions only."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from mappings.errors import StoreRefused, StoreUnavailable

Value = str | int | bool | bytes
Item = Mapping[str, Value]

PARTITION, SORT = "pk", "sk"
_GONE = "ResourceNotFoundException"
_ATTRIBUTE = re.compile(r"#(\w+)")


class ConditionFailed(Exception):
    """A write met an item that is not as it was to be; nothing was written."""

    def __init__(self, item: Item | None) -> None:
        super().__init__("the condition of a write does not hold")
        self.item = item
        """The item as it is; None where there is none, or where the service does not show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What must hold of an item for it to be written: `#name` is an attribute, `:name` a value."""

    text: str
    values: Item = field(default_factory=dict)


NEW = Condition(text=f"attribute_not_exists(#{PARTITION})")
THERE = Condition(text=f"attribute_exists(#{PARTITION})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One item of a transaction, written whole; without `item` it is deleted."""

    partition: str
    sort: str
    item: Item | None
    when: Condition


class Table:
    """The items of one namespace. Reads are consistent. Never retries."""

    def __init__(self, client: Any, name: str, namespace: str) -> None:
        """Make a view of a table that exists.

        Args:
            client: Of DynamoDB. Its own retries are off.
            name: Of the table.
            namespace: Of the fleet; the first part of every partition key.
        """
        self.name = name
        self.namespace = namespace
        self._client = client
        self.time: float | None = None
        """The service's clock when it last answered `get`, epoch seconds; None where it tells none."""

    async def get(self, partition: str, sort: str) -> Item | None:
        """One item."""
        with self._errors():
            answer = await self._client.get_item(
                TableName=self.name, Key=self._key(partition, sort), ConsistentRead=True
            )
        self.time = _date(answer)
        return _decoded(answer.get("Item"))

    async def query(self, partition: str) -> Sequence[Item]:
        """All items of a partition, in the order of their sort keys."""
        return [item async for page in self.pages(partition) for item in page]

    async def pages(self, partition: str) -> AsyncIterator[Sequence[Item]]:
        """All items of a partition as they are read, up to 1 MB at a time."""
        request: dict[str, Any] = {
            "TableName": self.name,
            "ConsistentRead": True,
            "KeyConditionExpression": f"#{PARTITION} = :partition",
            "ExpressionAttributeNames": {f"#{PARTITION}": PARTITION},
            "ExpressionAttributeValues": {":partition": {"S": self._partition(partition)}},
        }
        while True:
            with self._errors():
                answer = await self._client.query(**request)
            yield [item for item in map(_decoded, answer["Items"]) if item is not None]
            if not answer.get("LastEvaluatedKey"):
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def put(self, partition: str, sort: str, item: Item, *, when: Condition | None = None) -> None:
        """Write a whole item. Raises ConditionFailed."""
        with self._errors():
            await self._client.put_item(
                TableName=self.name,
                Item=self._key(partition, sort) | _encoded(item),
                **_condition(when),
            )

    async def update(
        self,
        partition: str,
        sort: str,
        *,
        when: Condition,
        change: Mapping[str, Value | None],
        add: Mapping[str, int] | None = None,
    ) -> Item:
        """Change attributes of an item and return it as it is then. Raises ConditionFailed.

        Args:
            partition: Of the item.
            sort: Of the item.
            when: What must hold.
            change: New values; None removes an attribute.
            add: What is added to numbers.
        """
        sets = {name: value for name, value in change.items() if value is not None}
        clauses = [
            ("SET ", [f"#{name} = :to_{name}" for name in sets]),
            ("REMOVE ", [f"#{name}" for name, value in change.items() if value is None]),
            ("ADD ", [f"#{name} :by_{name}" for name in add or ()]),
        ]
        expression = " ".join(verb + ", ".join(parts) for verb, parts in clauses if parts)
        values: dict[str, Value] = {f":to_{name}": value for name, value in sets.items()}
        values |= {f":by_{name}": value for name, value in (add or {}).items()}
        with self._errors():
            answer = await self._client.update_item(
                TableName=self.name,
                Key=self._key(partition, sort),
                UpdateExpression=expression,
                ReturnValues="ALL_NEW",
                **_condition(when, expression, values),
            )
        found = _decoded(answer["Attributes"])
        assert found is not None
        return found

    async def delete(self, partition: str, sort: str, *, when: Condition | None = None) -> None:
        """Delete an item; one that is not there is no error. Raises ConditionFailed."""
        with self._errors():
            await self._client.delete_item(
                TableName=self.name, Key=self._key(partition, sort), **_condition(when)
            )

    async def transact(self, puts: Sequence[Put]) -> None:
        """Write several items or none. Raises ConditionFailed with the first item that stood in the way."""
        with self._errors():
            await self._client.transact_write_items(TransactItems=[self._transacted(put) for put in puts])

    def _transacted(self, put: Put) -> dict[str, Any]:
        key = self._key(put.partition, put.sort)
        request = {"TableName": self.name, **_condition(put.when)}
        if put.item is None:
            return {"Delete": {"Key": key, **request}}
        return {"Put": {"Item": key | _encoded(put.item), **request}}

    def _key(self, partition: str, sort: str) -> dict[str, Any]:
        return {PARTITION: {"S": self._partition(partition)}, SORT: {"S": sort}}

    def _partition(self, partition: str) -> str:
        return f"{self.namespace}/{partition}"

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the SDK's errors into ours. Codes decide, never texts."""
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "ConditionalCheckFailedException":
                raise ConditionFailed(_decoded(error.response.get("Item"))) from error
            if code == "TransactionCanceledException" and (failed := _failed(error.response)):
                raise ConditionFailed(_decoded(failed[0].get("Item"))) from error
            if code == _GONE:
                raise StoreRefused(f"table {self.name} does not exist") from error
            raise StoreUnavailable(f"{error.operation_name} on table {self.name}: {code}") from error
        except (BotoCoreError, aiohttp.ClientError, TimeoutError) as error:
            raise StoreUnavailable(f"table {self.name}: {type(error).__name__}") from error


def _date(answer: Mapping[str, Any]) -> float | None:
    """When an answer was given; whole seconds, so that the middle of one is nearest."""
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp() + 0.5
    except ValueError:
        return None


def _failed(response: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    reasons = response.get("CancellationReasons", [])
    return [reason for reason in reasons if reason.get("Code") == "ConditionalCheckFailed"]


def _condition(
    when: Condition | None, expression: str = "", values: Mapping[str, Value] | None = None
) -> dict[str, Any]:
    """The parameters of a conditional write; `expression` also names attributes."""
    parameters: dict[str, Any] = {}
    all_values = dict(values or {})
    if when is not None:
        parameters["ConditionExpression"] = when.text
        parameters["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        all_values |= {f":{name}": value for name, value in when.values.items()}
    names = _ATTRIBUTE.findall(expression + (when.text if when else ""))
    if names:
        parameters["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
    if all_values:
        parameters["ExpressionAttributeValues"] = _encoded(all_values)
    return parameters


def _encoded(item: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _attribute(value) for name, value in item.items()}


def _attribute(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case str():
            return {"S": value}


def _decoded(item: Mapping[str, Mapping[str, Any]] | None) -> Item | None:
    if item is None:
        return None
    return {name: _value(attribute) for name, attribute in item.items() if name not in (PARTITION, SORT)} | {
        SORT: item[SORT]["S"]
    }


def _value(attribute: Mapping[str, Any]) -> Value:
    ((kind, value),) = attribute.items()
    found: Value = int(value) if kind == "N" else value
    return found
