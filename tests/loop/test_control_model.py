"""Random clients against a reference of the API, while mappings poll: States, settings, and no record astray.

A failure is its seed: the loop's ready queue is shuffled by it, and all that is asked follows from it.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from mappings.errors import ResourceConflictException, ResourceInUseException
from poller.core.outcomes import Outcome, Succeeded
from poller.interfaces import Invocation
from poller.sources.memory import MemoryQueue, MemoryStream
from poller.targets.memory import MemoryTarget
from tests.loop.control import Control, controlling
from tests.loop.stage import CLOCK, QUEUE, STREAM, Function, eventually, in_virtual_time

SEEDS = 60
ASKED = 40
SETTLED = {"Enabled", "Disabled"}
# (is stream, what is asked) -> the State that is answered, from the State it is asked in.
CREATED = {
    (False, True): "Creating",
    (False, False): "Disabled",
    (True, True): "Creating",
    (True, False): "Creating",
}


@dataclass
class Expected:
    """What the reference knows of a mapping."""

    stream: bool
    enabled: bool
    batch_size: int
    function: str
    deleted: bool = False


@dataclass
class Client:
    """Asks at random, and compares each answer with the reference."""

    control: Control
    chance: random.Random
    known: dict[str, Expected] = field(default_factory=dict)

    async def ask(self) -> None:
        """Ask for one thing."""
        living = [uuid for uuid, expected in self.known.items() if not expected.deleted]
        if not living or self.chance.random() < 0.2:
            await self._create()
        elif self.chance.random() < 0.25:
            await self._delete(self.chance.choice(living))
        else:
            await self._update(self.chance.choice(living))

    async def _create(self) -> None:
        stream, function = self.chance.random() < 0.5, self.chance.choice("fg")
        enabled, size = self.chance.random() < 0.7, self.chance.randint(1, 10)
        request: dict[str, Any] = {
            "EventSourceArn": STREAM if stream else QUEUE,
            "FunctionName": function,
            "Enabled": enabled,
            "BatchSize": size,
            **({"StartingPosition": "TRIM_HORIZON"} if stream else {}),
        }
        taken = await self._taken((stream, function))
        try:
            answer = await self.control.operations.create(request)
        except ResourceConflictException:
            assert taken
            return
        # Whoever was being deleted when asked for may be gone by now.
        assert not taken or not await self._taken((stream, function))
        assert answer["State"] == ("Creating" if stream or enabled else "Disabled")
        self.known[str(answer["UUID"])] = Expected(stream, enabled, size, function)

    async def _taken(self, link: tuple[bool, str]) -> bool:
        same = [uuid for uuid, each in self.known.items() if (each.stream, each.function) == link]
        return any([await self.control.state(uuid) is not None for uuid in same])

    async def _update(self, uuid: str) -> None:
        expected = self.known[uuid]
        changes: dict[str, Any] = {}
        if self.chance.random() < 0.5:
            changes["Enabled"] = self.chance.random() < 0.5
        if self.chance.random() < 0.5:
            changes["BatchSize"] = self.chance.randint(1, 10)
        before = await self.control.state(uuid)
        try:
            answer = await self.control.operations.update(uuid, changes)
        except ResourceInUseException:
            assert before not in SETTLED
            return
        assert before in SETTLED
        enabled = changes.get("Enabled", expected.enabled)
        assert answer["State"] == self._following(expected, enabled=enabled)
        expected.enabled = enabled
        expected.batch_size = changes.get("BatchSize", expected.batch_size)
        assert answer["BatchSize"] == expected.batch_size

    def _following(self, expected: Expected, *, enabled: bool) -> str:
        if enabled != expected.enabled:
            return "Enabling" if enabled else "Disabling"
        return "Disabled" if not enabled and not expected.stream else "Updating"

    async def _delete(self, uuid: str) -> None:
        before = await self.control.state(uuid)
        try:
            answer = await self.control.operations.delete(uuid)
        except ResourceInUseException:
            assert before not in SETTLED
            return
        assert before in SETTLED
        assert answer["State"] == "Deleting"
        self.known[uuid].deleted = True

    async def all_at_rest(self) -> None:
        """Everything comes to rest where the reference has it."""
        for uuid, expected in self.known.items():
            at_rest = None if expected.deleted else ("Enabled" if expected.enabled else "Disabled")
            await self.control.until(uuid, at_rest)
            if at_rest is not None:
                shown = await self.control.operations.get(uuid)
                assert shown["BatchSize"] == expected.batch_size


class Watched:
    """A function that notes who may not have invoked it."""

    def __init__(self, control_of: list[Control], seed: int, name: str) -> None:
        self.function = Function(takes_s=0.0)
        self.forbidden: list[str] = []
        self.target = MemoryTarget(self._run)
        self._control_of = control_of
        self._chance = random.Random(f"{seed}/{name}")
        self._name = name

    def seen(self, prefix: str) -> list[str]:
        """What it was given of the queue (q) or of the stream (s)."""
        return [record for record in self.function.seen if record.startswith(prefix)]

    async def _run(self, invocation: Invocation) -> Outcome:
        (control,) = self._control_of
        states = [
            stored.state.value
            for stored in await control.store.list()
            if stored.mapping.function_name == self._name
        ]
        if not set(states) - {"Disabled"}:
            self.forbidden.append(str(states))
        await anyio.sleep(self._chance.choice([0.0, 0.5, 3.0]))
        await self.function.target.invoke(invocation)
        return Succeeded(payload=b"null")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_clients_and_the_reference_agree(seed: int) -> None:
    """Answers, States at rest, no invocation when Disabled or gone; in order, nothing lost or repeated."""

    async def play() -> None:
        chance = random.Random(seed)
        controls: list[Control] = []
        stream, queue = MemoryStream(CLOCK), MemoryQueue(CLOCK)
        watched = {name: Watched(controls, seed, name) for name in "fg"}
        control = Control(
            lambda mapping: stream if mapping.event_source.kind.is_stream else queue,
            {name: each.target for name, each in watched.items()},
        )
        controls.append(control)
        async with controlling(control):
            client = Client(control, chance)
            for number in range(ASKED):
                stream.put("shard-0", f"s{number}")
                queue.send(f"q{number}")
                await client.ask()
                await anyio.sleep(chance.choice([0.0, 0.3, 2.0, 30.0]))
            await client.all_at_rest()
            await _finish(client, watched, queue)

        assert [each.forbidden for each in watched.values()] == [[], []]
        assert all(message.receives == 0 for message in queue.messages.values())
        messages = [record for each in watched.values() for record in each.seen("q")]
        assert len(messages) == len(set(messages))
        for name, each in watched.items():
            ever = [e for e in client.known.values() if e.stream and e.function == name]
            if len(ever) == 1:
                records = each.seen("s")
                assert records == [f"s{number}" for number in range(len(records))]

    in_virtual_time(play, seed=seed)


async def _finish(client: Client, watched: dict[str, Watched], queue: MemoryQueue) -> None:
    """Let what is enabled read all there is."""
    enabled = [e for e in client.known.values() if e.enabled and not e.deleted]
    for expected in enabled:
        if expected.stream:
            seen = watched[expected.function].function
            await eventually(lambda seen=seen: f"s{ASKED - 1}" in seen.seen)  # type: ignore[misc]
        else:
            await eventually(lambda: not queue.messages)
