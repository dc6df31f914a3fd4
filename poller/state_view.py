"""A state as people look at it: every lease with its owner, its checkpoint and the checkpoint's age."""

import io
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from poller.core.filed import is_entry
from poller.core.leasing import Lease
from poller.core.members import Member
from poller.settings import Settings
from poller.state import State
from poller.state_once import opened

WIDTH = 200


async def show(settings: Settings, as_json: bool) -> str:  # noqa: FBT001  # as it comes from the command line
    """Describe what a `POLLER_STATE` holds.

    Raises:
        StateRefused: It cannot be used as it is; a file, because a poller has it open.
    """
    async with opened(settings) as state:
        members = [] if state.members is None else list(await state.members.members())
        leases = [
            lease
            for uuid in await state.leases.mappings()
            for lease in await state.leases.list(uuid)
            if not is_entry(lease)
        ]
        labels = await _labels(state)
    now = time.time()
    document = {
        "state": settings.state,
        "workers": [_member(member, leases) for member in members],
        "leases": [_lease(lease, members, labels, now) for lease in leases],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() if as_json else _tables(document)


async def _labels(state: State) -> Mapping[str, str]:
    """Names of the mappings that were made through the API; those of files are known by their UUID."""
    return {stored.uuid: stored.mapping.label for stored in await state.mappings.list()}


def _member(member: Member, leases: Sequence[Lease]) -> dict[str, Any]:
    return {
        "id": member.id,
        "host": member.label,
        "is": "dead" if member.dead else "leaving" if member.leaving else "alive",
        "heartbeats": member.counter,
        "leases": sum(lease.owner == member.id for lease in leases),
    }


def _lease(lease: Lease, members: Sequence[Member], labels: Mapping[str, str], now: float) -> dict[str, Any]:
    hosts = {member.id: member.label for member in members}
    return {
        "mapping": lease.mapping,
        "name": labels.get(lease.mapping),
        "shard": lease.shard,
        "owner": lease.owner,
        "host": hosts.get(lease.owner or ""),
        "claimant": lease.claimant,
        "epoch": lease.epoch,
        "checkpoint": str(lease.checkpoint),
        "age_s": None if lease.written_at is None else round(max(now - lease.written_at, 0.0), 1),
        "window_open": lease.window is not None,
        "incarnation": lease.incarnation,
        "parents": list(lease.parents),
    }


def _tables(document: Mapping[str, Any]) -> str:
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, highlight=False)
    if document["workers"]:
        console.print(_table(document["workers"], ("id", "host", "is", "heartbeats", "leases")))
    if document["leases"]:
        rows = [
            {**row, "mapping": row["name"] or row["mapping"], "owner": row["host"] or row["owner"]}
            for row in document["leases"]
        ]
        console.print(_table(rows, ("mapping", "shard", "owner", "epoch", "checkpoint", "age_s")))
    console.print(f"{len(document['leases'])} leases")
    return out.getvalue().rstrip()


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("-" if row[column] is None else str(row[column]) for column in columns))
    return table
