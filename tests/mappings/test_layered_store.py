"""Two layers of mappings that never hold the same one."""

import anyio

from mappings.errors import AlreadyMapped
from mappings.states import State
from mappings.store import StoredMapping
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from mappings.validation import mapping_from_request

UUID = "0f4b5d22-6f4c-4f6e-9a43-1f0f6a0c2b11"


class Slow(MemoryMappingStore):
    """A store whose writes take a while."""

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping, later."""
        await anyio.sleep(0.01)
        await super().add(stored)


def stored(*, uuid: str | None = None, file: str | None = None) -> StoredMapping:
    """The mapping of one queue to one function."""
    request = {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders", "FunctionName": "f"}
    mapping = mapping_from_request(request, now=0.0, uuid=uuid)
    return StoredMapping(mapping=mapping, state=State.CREATING, created_at=0.0, last_modified=0.0, file=file)


async def test_of_a_client_and_a_file_that_add_the_same_at_once_one_comes_through() -> None:
    """Else both would be polled, and neither could be written again."""
    store = LayeredStore(files=Slow(), api=Slow())
    refused: list[AlreadyMapped] = []

    async def add(one: StoredMapping) -> None:
        try:
            await store.add(one)
        except AlreadyMapped as error:
            refused.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(add, stored(uuid=UUID))
        group.start_soon(add, stored(file="m.yaml"))

    assert len(await store.list()) == 1
    assert len(refused) == 1
