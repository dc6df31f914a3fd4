"""The DynamoDB table of a fleet: makes it, refuses to work without it, opens the stores in it."""

import os
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mappings.errors import StoreRefused, StoreUnavailable
from mappings.home import DEFAULT_REGION
from mappings.stores.dynamodb import DynamoDbMappingStore
from mappings.stores.dynamodb_table import PARTITION, SORT, Table
from mappings.stores.event_invoke_dynamodb import DynamoDbEventInvokeConfigStore
from poller.aws import Aws, error_code
from poller.errors import StateRefused
from poller.events.dynamodb import DynamoDbEvents
from poller.leases.dynamodb import DynamoDbLeaseStore
from poller.leases.dynamodb_members import DynamoDbMemberStore, open_fleet
from poller.table_address import TableAddress

# Each has connections of its own: a heartbeat never waits behind a checkpoint, nor that behind a listing.
BEAT_TIMEOUT_S = 2.0
WRITE_TIMEOUT_S = 5.0
EVENT_TIMEOUT_S = 6.0
SCAN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStores:
    """Everything a fleet shares."""

    leases: DynamoDbLeaseStore
    mappings: DynamoDbMappingStore
    members: DynamoDbMemberStore
    events: DynamoDbEvents
    event_invoke_configs: DynamoDbEventInvokeConfigStore


async def open_table(address: TableAddress, aws: Aws, region: str | None) -> TableStores:
    """Open the stores of a fleet.

    Raises:
        StateRefused: The table does not exist, cannot be reached, or belongs to a newer version.
    """
    where = region_of(address, aws, region)

    async def view(read_timeout_s: float) -> Table:
        client = await aws.client("dynamodb", where, read_timeout_s=read_timeout_s)
        return Table(client, address.table, address.namespace)

    timeouts = (BEAT_TIMEOUT_S, WRITE_TIMEOUT_S, EVENT_TIMEOUT_S, SCAN_TIMEOUT_S)
    beats, writes, events, scans = [await view(timeout_s) for timeout_s in timeouts]
    try:
        incarnation = await open_fleet(scans)
    except StoreRefused as error:
        raise StateRefused(
            f"{error} in {where}; make it with: poller state init --state '{address}'"
        ) from error
    except StoreUnavailable as error:
        raise StateRefused(str(error)) from error
    members = DynamoDbMemberStore(beats=beats, scans=scans, incarnation=incarnation)
    return TableStores(
        leases=DynamoDbLeaseStore(writes=writes, scans=scans),
        mappings=DynamoDbMappingStore(scans, members.mappings_changed),
        events=DynamoDbEvents(events),
        event_invoke_configs=DynamoDbEventInvokeConfigStore(scans),
        members=members,
    )


async def init_table(url: str, region: str | None) -> str:
    """Make the table that a `POLLER_STATE` names; what was done, in one sentence."""
    address = TableAddress.parse(url)
    async with Aws() as aws:
        await aws.check(os.environ, region or DEFAULT_REGION)
        made = await make_table(address, aws, region)
        where = region_of(address, aws, region)
    if made:
        return f"made table {address.table} in {where}: on-demand, key {PARTITION} and {SORT}"
    return f"table {address.table} in {where} is there already; nothing was changed"


async def make_table(address: TableAddress, aws: Aws, region: str | None) -> bool:
    """Make the table, unless it is there; whether it was made.

    Raises:
        StateRefused: It cannot be made, or what is there is not a table of ours.
    """
    where = region_of(address, aws, region)
    client = await aws.client("dynamodb", where, read_timeout_s=SCAN_TIMEOUT_S)
    try:
        made = await _create(client, address.table)
        await client.get_waiter("table_exists").wait(
            TableName=address.table, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
        described = await client.describe_table(TableName=address.table)
    except ClientError as error:
        text = f"{error.operation_name} on table {address.table} in {where}: {error_code(error)}"
        raise StateRefused(text) from error
    except BotoCoreError as error:
        raise StateRefused(f"table {address.table} in {where}: {error}") from error
    if described["Table"]["KeySchema"] != _KEYS:
        raise StateRefused(f"table {address.table} in {where} belongs to something else: its keys are others")
    return made


_KEYS = [
    {"AttributeName": PARTITION, "KeyType": "HASH"},
    {"AttributeName": SORT, "KeyType": "RANGE"},
]


async def _create(client: Any, name: str) -> bool:
    try:
        await client.create_table(
            TableName=name,
            KeySchema=_KEYS,
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in (PARTITION, SORT)],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if error_code(error) != "ResourceInUseException":
            raise
        return False
    return True


def region_of(address: TableAddress, aws: Aws, region: str | None) -> str:
    """Where the table is. Raises StateRefused where nobody says."""
    where = address.region or region or aws.default_region
    if where is None:
        raise StateRefused(
            f"the region of table {address.table} is not known: set AWS_REGION, or add ?region= to {address}"
        )
    return where
