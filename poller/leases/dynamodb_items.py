"""A lease as an item of a table, and what a write requires of the item it meets."""

import time

from mappings.stores.dynamodb_table import SORT, Condition, Item, Value
from poller.core.leasing import Lease, order

_SAME = "#incarnation = :incarnation AND #epoch = :epoch"


def partition(mapping: str) -> str:
    """Where the leases of a mapping are."""
    return f"lease/{mapping}"


def row(lease: Lease) -> dict[str, Value]:
    """A lease as an item, but for its window."""
    required: dict[str, Value] = {
        SORT: lease.shard,
        "incarnation": lease.incarnation,
        "checkpoint": str(lease.checkpoint),
        "reached": order(lease.checkpoint),
        "epoch": lease.epoch,
        "counter": lease.counter,
        "at": now(),
    }
    optional = {"parents": " ".join(lease.parents), "owner": lease.owner, "claimant": lease.claimant}
    return required | {name: value for name, value in optional.items() if value}


def unchanged(lease: Lease) -> Condition:
    """It has not changed hands, nor was it asked for, since it was seen."""
    values: Item = {"incarnation": lease.incarnation, "epoch": lease.epoch, "counter": lease.counter}
    return Condition(text=f"{_SAME} AND #counter = :counter", values=values)


def fence(lease: Lease) -> Condition:
    """It still belongs to its holder, under the same epoch."""
    return Condition(
        text=f"{_SAME} AND #owner = :holder",
        values={"incarnation": lease.incarnation, "epoch": lease.epoch, "holder": lease.owner or ""},
    )


def is_held(item: Item, lease: Lease) -> bool:
    """Whether the fence holds."""
    found = (item["incarnation"], item["epoch"], item.get("owner"))
    return found == (lease.incarnation, lease.epoch, lease.owner)


def is_taken(item: Item, seen: Lease, owner: str) -> bool:
    """Whether it was taken as it was seen, by this owner."""
    found = (item["incarnation"], item["epoch"], item.get("owner"))
    return found == (seen.incarnation, seen.epoch + 1, owner)


def text(value: Value | None) -> str | None:
    """An optional text."""
    return None if value is None else str(value)


def now() -> int:
    """Wall time in milliseconds, for people who look at the table; nothing else reads it."""
    return int(time.time() * 1000)
