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
    host = await start("def handler(event, context): pass")
    target = HandlerTarget(host)
    assert await target.ready()
    await host.close()
    assert not await target.ready()


async def test_the_handler_sees_the_arn_that_its_mapping_calls_it(start: Start) -> None:
    """Two mappings share its processes and call it by ARNs of their own."""
    host = await start("def handler(event, context): return context.invoked_function_arn")
    invocation = Invocation(payload=b"{}", request_id="request-1")

    outcomes = [await HandlerTarget(host, function_arn=arn).invoke(invocation) for arn in ("arn:1", "arn:2")]

    assert outcomes == [Succeeded(payload=b'"arn:1"'), Succeeded(payload=b'"arn:2"')]
