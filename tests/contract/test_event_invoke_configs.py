"""What every store of event invoke configs promises."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mappings.event_invoke import EventInvokeConfig, EventInvokeConfigStore
from mappings.stores.event_invoke_memory import MemoryEventInvokeConfigStore
from mappings.stores.event_invoke_sqlite import SqliteEventInvokeConfigStore
from poller.state import open_file

WHOLE = EventInvokeConfig(
    function="audit",
    qualifier="$LATEST",
    last_modified=1_800_000_000.25,
    maximum_retry_attempts=0,
    maximum_event_age_in_seconds=60,
    on_success="arn:aws:sqs:us-east-1:000000000000:good",
    on_failure="arn:aws:sns:us-east-1:000000000000:bad",
)
EMPTY = EventInvokeConfig(function="audit", qualifier="live", last_modified=1_800_000_001.0)
OTHER = EventInvokeConfig(function="audit-2", qualifier="$LATEST", last_modified=1_800_000_002.0)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventInvokeConfigStore]:
    """An empty store of each kind."""
    if request.param == "memory":
        yield MemoryEventInvokeConfigStore()
        return
    file = await open_file(tmp_path / "state.db")
    yield SqliteEventInvokeConfigStore(file)
    await file.close()


async def test_settings_come_back_as_they_were_put(store: EventInvokeConfigStore) -> None:
    """Whole ones and empty ones."""
    await store.put(WHOLE)
    await store.put(EMPTY)

    assert await store.get("audit", "$LATEST") == WHOLE
    assert await store.get("audit", "live") == EMPTY
    assert await store.get("audit", "3") is None


async def test_a_put_replaces_what_there_was(store: EventInvokeConfigStore) -> None:
    """Nothing of the old settings stays."""
    await store.put(WHOLE)
    later = EventInvokeConfig(function="audit", qualifier="$LATEST", last_modified=1_800_000_009.0)
    await store.put(later)

    assert await store.get("audit", "$LATEST") == later


async def test_a_list_is_of_one_function_in_the_order_of_qualifiers(store: EventInvokeConfigStore) -> None:
    """Names that begin alike are other functions."""
    for config in (EMPTY, OTHER, WHOLE):
        await store.put(config)

    assert list(await store.list("audit")) == [WHOLE, EMPTY]


async def test_a_removal_says_whether_there_was_anything(store: EventInvokeConfigStore) -> None:
    """A second one finds nothing."""
    await store.put(WHOLE)

    assert await store.remove("audit", "$LATEST")
    assert not await store.remove("audit", "$LATEST")
    assert await store.get("audit", "$LATEST") is None
