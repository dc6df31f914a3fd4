"""What mapping files define is taken up whole, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mappings.directory import FunctionDirectory
from mappings.files import MappingSet
from mappings.functions import Function, HandlerFunction, UrlFunction
from mappings.states import State
from mappings.store import StoredMapping
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from mappings.validation import mapping_from_request
from poller.aws import Aws
from poller.definitions import Definitions
from poller.file_book import FileBook
from poller.fleet import Alone
from poller.functions.hosted import HostedFunctions
from poller.leases.memory import MemoryLeaseStore

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
RESIZE = UrlFunction(name="resize", url="http://127.0.0.1:1/")
BROKEN = HandlerFunction(name="broken", handler="no_such_module:handler", timeout=3, concurrency=1)


@dataclass
class Watched(MemoryMappingStore):
    """A layer of files that notes, at each write, what every function in it then is."""

    directory: FunctionDirectory
    seen: list[Function | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def add(self, stored: StoredMapping) -> None:
        """Add a mapping."""
        await super().add(stored)
        self._look()

    async def replace(self, changed: StoredMapping) -> StoredMapping:
        """Change a mapping."""
        written = await super().replace(changed)
        self._look()
        return written

    def _look(self) -> None:
        self.seen += [self.directory.of_file(row.mapping.function_name) for row in self._rows.values()]


def file_of(functions: Mapping[str, Function]) -> MappingSet:
    """A file with one mapping for each of its functions."""
    mappings = tuple(
        mapping_from_request({"EventSourceArn": QUEUE, "FunctionName": name}, now=0.0) for name in functions
    )
    return MappingSet(functions=functions, mappings=mappings, file_of={m.uuid: "m.yaml" for m in mappings})


def definitions(aws: Aws, api: MemoryMappingStore) -> tuple[Definitions, Watched]:
    """Definitions over an empty layer of files."""
    directory = FunctionDirectory()
    files = Watched(directory)
    made = Definitions(
        directory=directory,
        hosted=HostedFunctions({}),
        aws=aws,
        files=files,
        store=LayeredStore(files=files, api=api),
        book=FileBook(leases=MemoryLeaseStore(), fleet=Alone("me")),
        changed=lambda: None,
        wall=lambda: 0.0,
        metrics=True,
        allow_removal=True,
    )
    return made, files


async def test_while_it_is_written_no_listed_function_is_mistaken_for_one_of_aws_lambda() -> None:
    """Neither one that comes with its mapping, nor one that goes with it."""
    other = replace(RESIZE, name="other")
    async with Aws() as aws:
        taking, files = definitions(aws, MemoryMappingStore())
        await taking.take_up(file_of({"resize": RESIZE}))
        await taking.take_up(file_of({"other": other}))

    assert set(files.seen) == {RESIZE, other}
    assert taking.directory.listed == {"other": other}


async def test_an_entry_that_meets_a_mapping_of_the_api_waits_until_it_is_gone() -> None:
    """All else of the files is taken up; the API's mapping stays, and the entry is a problem on it."""
    found, api = file_of({"resize": RESIZE, "other": replace(RESIZE, name="other")}), MemoryMappingStore()
    made = StoredMapping(
        mapping=replace(found.mappings[0], uuid="made"),
        state=State.ENABLED,
        created_at=0.0,
        last_modified=0.0,
    )
    await api.add(made)
    async with Aws() as aws:
        taking, files = definitions(aws, api)
        await taking.take_up(found)
        await taking.look_again()
        taken = [stored.uuid for stored in await files.list()]
        problems = (taking.problems_of("made"), taking.heir(made))
        await api.remove(made)
        await taking.look_again()

        assert taken == [found.mappings[1].uuid]
        assert "made through the API with UUID made" in problems[0][0]
        assert problems[1] == found.mappings[0].uuid
        assert {stored.uuid for stored in await files.list()} == {each.uuid for each in found.mappings}
        assert (taking.problems_of("made"), taking.heir(made)) == ((), None)
