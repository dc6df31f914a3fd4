"""The target `handler`."""

from poller.core.outcomes import Succeeded
from poller.interfaces import Invocation, Target
from poller.targets.handler import HandlerTarget
from tests.functions.hosting import Start


async def test_an_invocation_runs_the_handler(start: Start) -> None:
    """Payload and request id reach the function; its result comes back as the outcome."""
    target: Target = HandlerTarget(
        await start("def handler(event, context): return [event, context.aws_request_id]")
    )
    outcome = await target.invoke(Invocation(payload=b'{"Records": []}', request_id="request-1"))
    assert outcome == Succeeded(payload=b'[{"Records": []}, "request-1"]')


async def test_it_is_ready_until_it_is_closed(start: Start) -> None:
    """Nothing is received for a function that has gone."""
    target = HandlerTarget(await start("def handler(event, context): pass"))
    assert await target.ready()
    await target.close()
    assert not await target.ready()
