"""Filters on a queue, through the loop."""

from typing import Any

from poller.sources.memory import MemoryQueue
from tests.loop.stage import CLOCK, Function, eventually, in_virtual_time, playing, queue_mapping

ORDERS: dict[str, Any] = {"FilterCriteria": {"Filters": [{"Pattern": '{"body":{"kind":["order"]}}'}]}}


def test_what_does_not_match_is_deleted_without_an_invocation() -> None:
    """At once, whatever else came in the same receive."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        for number in range(20):
            queue.send('{"kind": "other"}' if number % 2 else "no json")
        function = Function()
        async with playing(queue_mapping(**ORDERS), queue, function.target) as stage:
            await eventually(lambda: not queue.messages, within_s=60)
            assert stage.runner.meter.counts.filtered_out == 20

        assert function.batches == []

    in_virtual_time(play)


def test_what_matches_is_delivered_to_the_byte() -> None:
    """The filter looks into the body; the function gets the text that was sent."""

    async def play() -> None:
        queue = MemoryQueue(CLOCK)
        body = '{"kind":  "order", "amount": 1.00}'
        queue.send('{"kind": "other"}')
        queue.send(body)
        function = Function()
        async with playing(queue_mapping(**ORDERS), queue, function.target):
            await eventually(lambda: not queue.messages, within_s=60)

        assert function.seen == [body]

    in_virtual_time(play)


def test_a_failed_match_is_left_and_the_filtered_stay_deleted() -> None:
    """The two fates of one receive do not mix."""
    from poller.core.outcomes import FunctionError

    async def play() -> None:
        queue = MemoryQueue(CLOCK, visibility_timeout_s=600)
        queue.send('{"kind": "other"}')
        kept = queue.send('{"kind": "order"}')
        function = Function(lambda _: FunctionError(error_type="E"))
        async with playing(queue_mapping(**ORDERS), queue, function.target):
            await eventually(lambda: len(function.batches) == 1)

        assert list(queue.messages) == [kept]

    in_virtual_time(play)
