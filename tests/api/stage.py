"""The API over stores in memory, with an outside world that a test decides on; called as HTTP calls it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from mappings.api import LambdaApi
from mappings.auth import Caller, ReceivedRequest
from mappings.directory import FunctionDirectory
from mappings.errors import MappingError
from mappings.function_operations import FunctionOperations
from mappings.functions import Function, HandlerFunction, UrlFunction
from mappings.handlers import function_handlers, mapping_handlers
from mappings.model import EventSourceMapping
from mappings.operations import MappingOperations
from mappings.states import settled_state
from mappings.store import MappingStore
from mappings.stores.layered import LayeredStore
from mappings.stores.memory import MemoryMappingStore
from mappings.tag_operations import TagOperations

NOW = 1_800_000_000.0
QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
FIFO = "arn:aws:sqs:us-east-1:123456789012:orders.fifo"
KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/clicks"
DYNAMODB = "arn:aws:dynamodb:us-east-1:123456789012:table/users/stream/2024-06-10T19:26:16.525"
MAPPINGS = "/2015-03-31/event-source-mappings"
CALLER = Caller(id="anyone", region="eu-west-1", read_only=False)


class World:
    """An admission that refuses what a test says, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refusals: dict[str, MappingError] = {}
        self.server_time: float | None = NOW - 5
        self.meanwhile: Callable[[], Any] | None = None
        """Awaited once, while a source is asked."""

    def options(self, mapping: EventSourceMapping) -> None:
        """It can obey, and nobody is asked."""

    async def function(self, function: Function) -> None:
        """Asked for a function."""
        self._answer("function")

    async def source(self, mapping: EventSourceMapping, function: Function, *, making: bool) -> float | None:
        """Asked for a source."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        self._answer("source")
        return self.server_time

    async def destination(self, mapping: EventSourceMapping) -> None:
        """Asked for a destination."""
        if mapping.on_failure_destination:
            self._answer("destination")

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if what in self.refusals:
            raise self.refusals[what]


@dataclass(frozen=True)
class Reply:
    """What the API answered."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str | None:
        """The error, if it is one."""
        return self.headers.get("x-amzn-ErrorType")

    @property
    def message(self) -> str:
        """What it says, whichever way the member is spelt."""
        return str(self.body.get("message", self.body.get("Message")))


async def send(
    api: LambdaApi, method: str, path: str, body: object = None, *, raw: bytes | None = None, **query: Any
) -> Reply:
    """Send a request whose body is JSON, or `raw`."""
    target = f"{path}?{urlencode(query, doseq=True)}" if query else path
    content = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
    request = ReceivedRequest(method=method, target=target, headers=(), body=content)
    answer = await api(request, CALLER)
    return Reply(answer.status, answer.headers, json.loads(answer.body) if answer.body else None)


@dataclass
class Stage:
    """The API and all that is behind it."""

    world: World = field(default_factory=World)
    files: MemoryMappingStore = field(default_factory=MemoryMappingStore)
    made: MappingStore = field(default_factory=MemoryMappingStore)
    directory: FunctionDirectory = field(
        default_factory=lambda: FunctionDirectory(
            {
                "audit": HandlerFunction(name="audit", handler="app:handler", timeout=7, concurrency=2),
                "resize": UrlFunction(name="resize", url="http://127.0.0.1:1/"),
            }
        )
    )
    now: float = NOW
    changes: int = 0

    def __post_init__(self) -> None:
        self.store = LayeredStore(files=self.files, api=self.made)
        operations = MappingOperations(
            self.store, self.directory, self.world, wall=lambda: self.now, changed=self._note
        )
        tags = TagOperations(self.store, self.directory)
        functions = FunctionOperations(self.directory, started_at=NOW)
        self.api = LambdaApi({**mapping_handlers(operations, tags), **function_handlers(functions)})

    async def call(
        self, method: str, path: str, body: object = None, *, raw: bytes | None = None, **query: Any
    ) -> Reply:
        """Send a request whose body is JSON, or `raw`."""
        return await send(self.api, method, path, body, raw=raw, **query)

    async def create(self, arn: str = QUEUE, function: str = "audit", **members: Any) -> Reply:
        """Ask for a mapping; a stream starts at its horizon."""
        if "sqs" not in arn:
            members = {"StartingPosition": "TRIM_HORIZON", **members}
        return await self.call("POST", MAPPINGS, {"EventSourceArn": arn, "FunctionName": function, **members})

    async def created(self, arn: str = QUEUE, function: str = "audit", **members: Any) -> str:
        """Make a mapping and bring its State to rest; its UUID."""
        reply = await self.create(arn, function, **members)
        assert reply.status == 202, reply
        await self.settle()
        return str(reply.body["UUID"])

    async def update(self, uuid: str, **members: Any) -> Reply:
        """Ask for an update."""
        return await self.call("PUT", f"{MAPPINGS}/{uuid}", members)

    async def tag_path(self, uuid: str) -> str:
        """The path of a mapping's tags."""
        reply = await self.call("GET", f"{MAPPINGS}/{uuid}")
        return f"/2017-03-31/tags/{quote(reply.body['EventSourceMappingArn'], safe='')}"

    async def settle(self) -> None:
        """Bring every State to rest, as pollers do."""
        for stored in await self.store.list():
            if stored.state.is_settled:
                continue
            following = settled_state(stored.state, enabled=stored.mapping.enabled)
            if following is None:
                await self.store.remove(stored)
            else:
                await self.store.replace(replace(stored, state=following))

    def _note(self) -> None:
        self.changes += 1
