"""Positions on the move: out of a state, into another, and from an application that was read with KCL."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import orjson

from mappings.model import EventSourceMapping
from poller.aws import Aws, source_errors
from poller.core.filed import is_entry
from poller.core.kcl import KclRow, KclUnusable, has_moved, leases_from_kcl, owners, row_of
from poller.core.leasing import Lease
from poller.core.records import Position
from poller.core.timewindow import WindowState
from poller.errors import SourceError, StateRefused
from poller.file_book import known_uuid
from poller.settings import Settings
from poller.sources import SourceParts, make_source
from poller.state import State
from poller.state_once import opened
from poller.surroundings import SystemClock

FORMAT = 1
# KCL renews a lease each third of its failover time: 10 s by default in KCL 1 and 2, 30 s in KCL 3, set to
# a minute and more by some. No worker with up to three minutes is missed.
KCL_RENEWS_S = 65.0
# Between looks at the table meanwhile; without owners, one is enough: a worker would take what is free.
KCL_LOOK_S = 4.0


async def export_positions(settings: Settings) -> str:
    """All positions of a state as a JSON document.

    Raises:
        StateRefused: The state cannot be used as it is.
    """
    async with opened(settings) as state:
        leases = [lease for uuid in await state.leases.mappings() for lease in await state.leases.list(uuid)]
    document = {"format": FORMAT, "leases": [_entry(lease) for lease in leases]}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


async def import_positions(settings: Settings, path: Path, force: bool) -> str:  # noqa: FBT001  # a flag
    """Take in what `export_positions` wrote; what was done, in one sentence.

    Raises:
        StateRefused: The file is none of ours, or mappings have positions that nobody allowed to replace.
    """
    leases = _read(path)
    async with opened(settings) as state:
        return await _replace(state, leases, force=force)


async def import_kcl(
    settings: Settings,
    table: str,
    mapping: EventSourceMapping,
    force: bool,  # noqa: FBT001  # a flag
    tell: Callable[[str], None],
) -> str:
    """Take over the checkpoints of a KCL application; what was done. `tell` is told what takes time.

    Raises:
        StateRefused: The application still runs, its table says nothing of the stream, or the mapping has
            positions that nobody allowed to replace.
    """
    region = mapping.event_source.region
    async with Aws() as aws:
        await aws.check(os.environ, region)
        client = await aws.client("dynamodb", region)
        try:
            rows = await _scan(client, table)
            if not force:
                await _refuse_running(client, table, rows, tell)
            source = make_source(
                mapping, SourceParts(aws=aws, clock=SystemClock(), long_poll_s=0.0, timeout_s=None)
            )
            topology = await source.discover()
        except SourceError as error:
            raise StateRefused(str(error)) from error
    now = topology.server_time or SystemClock().wall()
    try:
        leases, notes = leases_from_kcl(
            rows, topology, mapping=mapping.uuid, stream=mapping.event_source.name, now=now
        )
    except KclUnusable as error:
        raise StateRefused(f"table {table}: {error}") from error
    async with opened(settings) as state:
        uuid = await known_uuid(state.leases, mapping)
        leases = [replace(lease, mapping=uuid) for lease in leases]
        return "\n".join([await _replace(state, leases, force=force), *notes])


async def _refuse_running(
    client: Any, table: str, rows: Sequence[KclRow], tell: Callable[[str], None]
) -> None:
    """Raise StateRefused where the application renews its leases within the longest time that takes."""
    names = ", ".join(owners(rows))
    if names:
        tell(
            f"the leases of table {table} name as owners: {names}; looking for up to {KCL_RENEWS_S:.0f} s "
            "whether they are renewed (--force does not look)"
        )
    until = anyio.current_time() + (KCL_RENEWS_S if names else KCL_LOOK_S)
    while anyio.current_time() < until:
        await anyio.sleep(KCL_LOOK_S)
        now = await _scan(client, table)
        if has_moved(rows, now):
            running = ", ".join(owners(now)) or "its workers"
            raise StateRefused(
                f"the application of table {table} still works on its leases ({running}): end it first, or "
                "both would read the same records"
            )


async def _replace(state: State, leases: Sequence[Lease], *, force: bool) -> str:
    mappings = sorted({lease.mapping for lease in leases if not is_entry(lease)})
    old = {uuid: await state.leases.list(uuid) for uuid in mappings}
    living = set() if state.members is None else {m.id for m in await state.members.members() if not m.dead}
    for uuid, held in old.items():
        readers = {lease.owner for lease in held} & living
        if readers:
            raise StateRefused(f"mapping {uuid} is being read by {len(readers)} workers: end them first")
        if held and not force:
            raise StateRefused(f"mapping {uuid} has {len(held)} positions; replace them with --force")
    # What files are known by goes with the positions.
    for uuid in {lease.mapping for lease in leases}:
        await state.leases.clear(uuid)
    await state.leases.create(leases)
    positions = sum(not is_entry(lease) for lease in leases)
    return f"took in {positions} positions of {len(mappings)} mappings"


async def _scan(client: Any, table: str) -> Sequence[KclRow]:
    rows: list[KclRow] = []
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    while True:
        with source_errors(f"table {table}"):
            answer = await client.scan(**request)
        found = [row_of({name: _plain(value) for name, value in item.items()}) for item in answer["Items"]]
        rows += [row for row in found if row is not None]
        if not answer.get("LastEvaluatedKey"):
            return rows
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _plain(attribute: Mapping[str, Any]) -> object:
    ((kind, value),) = attribute.items()
    return int(value) if kind == "N" and str(value).isdigit() else value


def _entry(lease: Lease) -> dict[str, object]:
    return {
        "mapping": lease.mapping,
        "shard": lease.shard,
        "incarnation": lease.incarnation,
        "checkpoint": str(lease.checkpoint),
        "parents": list(lease.parents),
        "window": None if lease.window is None else str(lease.window),
    }


def _read(path: Path) -> Sequence[Lease]:
    try:
        document = orjson.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise StateRefused(f"{path} has format {document['format']}, this version reads {FORMAT}")
        return [_lease(entry) for entry in document["leases"]]
    except OSError as error:
        raise StateRefused(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateRefused(f"{path} is no export of positions: {type(error).__name__} {error}") from error


def _lease(entry: Mapping[str, Any]) -> Lease:
    window = entry["window"]
    return Lease(
        mapping=str(entry["mapping"]),
        shard=str(entry["shard"]),
        incarnation=str(entry["incarnation"]),
        checkpoint=Position.parse(entry["checkpoint"]),
        parents=tuple(map(str, entry["parents"])),
        window=None if window is None else WindowState.parse(window),
    )
