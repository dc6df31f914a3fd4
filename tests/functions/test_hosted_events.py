"""What a hosted handler receives and what it returns."""

import os
import time

import orjson
import uvloop

from poller.core.outcomes import Succeeded, TooLarge
from poller.functions.host import PAYLOAD_LIMIT_BYTES, FunctionHost
from tests.functions.hosting import ARN, REQUEST_ID, Define, Start, result

ECHO = "def handler(event, context): return event"


async def test_a_value_is_returned_as_json(start: Start) -> None:
    """A handler's return value is the payload."""
    host = await start("def handler(event, context): return {'batchItemFailures': []}")
    assert await host.invoke(b"{}", request_id=REQUEST_ID) == Succeeded(payload=b'{"batchItemFailures": []}')


async def test_none_is_returned_as_null(start: Start) -> None:
    """A handler without a return value answers `null`."""
    host = await start("def handler(event, context): pass")
    assert await host.invoke(b"{}", request_id=REQUEST_ID) == Succeeded(payload=b"null")


async def test_bytes_are_returned_untouched(start: Start) -> None:
    """A handler that returns bytes decides what the payload is."""
    host = await start("def handler(event, context): return b'\\x00\\xff'")
    assert await host.invoke(b"{}", request_id=REQUEST_ID) == Succeeded(payload=b"\x00\xff")


async def test_an_event_is_decoded_json(start: Start) -> None:
    """The handler gets a dict, not bytes."""
    host = await start("def handler(event, context): return type(event).__name__")
    assert await result(host, {"Records": []}) == "dict"


async def test_text_in_an_event_arrives_unchanged(start: Start) -> None:
    """Bodies survive whatever they hold."""
    event = {"Records": [{"body": '{"quoted": "\\u00e9"}'}, {"body": "é\u2028\x00😀\r\n"}, {"body": ""}]}
    assert await result(await start(ECHO), event) == event


async def test_the_runtime_is_given_the_very_bytes_of_the_event(start: Start) -> None:
    """Nothing between invoker and handler encodes the event again."""
    host = await start(
        """
        from awslambdaric.lambda_runtime_client import BaseLambdaRuntimeClient
        from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

        class Keeping(LambdaMarshaller):
            def unmarshal_request(self, request, content_type="application/json"):
                self.event = request
                return super().unmarshal_request(request, content_type)

        BaseLambdaRuntimeClient.marshaller = Keeping()

        def handler(event, context): return BaseLambdaRuntimeClient.marshaller.event
        """
    )
    event = b'{ "b" : 1.50 ,\n"a":"\\u00e9 \xc3\xa9" }'
    assert await host.invoke(event, request_id=REQUEST_ID) == Succeeded(payload=event)


async def test_an_event_of_six_mebibytes_arrives(start: Start) -> None:
    """The largest payload a synchronous invocation may have is delivered."""
    host = await start("def handler(event, context): return len(event)")
    assert await result(host, "x" * (PAYLOAD_LIMIT_BYTES - 2)) == PAYLOAD_LIMIT_BYTES - 2


async def test_a_larger_event_is_refused(start: Start) -> None:
    """An event over the quota is never delivered."""
    host = await start(ECHO)
    event = b" " * (PAYLOAD_LIMIT_BYTES + 1)
    assert await host.invoke(event, request_id=REQUEST_ID) == TooLarge(size=len(event))


async def test_the_context_names_the_invocation(start: Start) -> None:
    """The handler's context holds what Lambda's does."""
    host = await start(
        """
        def handler(event, context):
            return [context.aws_request_id, context.function_name, context.function_version,
                    context.invoked_function_arn, context.memory_limit_in_mb, context.log_group_name]
        """
    )
    context = await result(host, request_id="request-1")
    assert context == ["request-1", "audit", "$LATEST", ARN, "128", "/aws/lambda/audit"]


async def test_the_remaining_time_counts_down_from_the_timeout(start: Start) -> None:
    """The deadline lies one timeout after the event was handed over."""
    host = await start("def handler(event, context): return context.get_remaining_time_in_millis()")
    before = time.monotonic()
    remaining_ms = await result(host)
    assert isinstance(remaining_ms, int)
    assert 20_000 - (time.monotonic() - before) * 1000 - 5 <= remaining_ms <= 20_000


async def test_the_environment_is_the_callers_and_lambdas(start: Start) -> None:
    """A process has the variables it was given and those that handlers read in Lambda."""
    names = ["MINE", "AWS_LAMBDA_FUNCTION_NAME", "_HANDLER", "AWS_REGION", "AWS_LAMBDA_MAX_CONCURRENCY"]
    host = await start(
        "import os\ndef handler(event, context): return [os.environ.get(name) for name in event]",
        environment={"MINE": "1", "AWS_LAMBDA_MAX_CONCURRENCY": "8"},
    )
    assert await result(host, names) == ["1", "audit", "app.handler", "eu-west-1", None]


async def test_each_invocation_has_a_trace_of_its_own(start: Start) -> None:
    """Tracing libraries find a well-formed trace id."""
    host = await start("import os\ndef handler(event, context): return os.environ['_X_AMZN_TRACE_ID']")
    traces = [str(await result(host)), str(await result(host))]
    assert traces[0] != traces[1]
    assert all(trace.startswith("Root=1-") and trace.endswith(";Sampled=0") for trace in traces)


async def test_a_proxy_of_the_environment_is_not_asked(start: Start) -> None:
    """The runtime reaches its host although the function is to use a proxy."""
    proxy = "http://127.0.0.1:9"
    variables = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), proxy)
    host = await start(ECHO, environment=dict(os.environ) | variables)
    assert await result(host, 1) == 1


async def test_modules_beside_the_handler_can_be_imported(start: Start, define: Define) -> None:
    """The handler's root is its working directory and on its import path, inside packages too."""
    root = define("").root
    (root / "pack").mkdir()
    (root / "pack" / "inner.py").write_text(
        "import os, beside\ndef handler(event, context): return [beside.NAME, os.getcwd()]"
    )
    (root / "beside.py").write_text("NAME = 'beside'")
    host = await start("", handler="pack.inner:handler")
    assert await result(host) == ["beside", str(root)]


async def test_a_module_named_as_one_of_the_runtimes_does_not_break_it(start: Start, define: Define) -> None:
    """What the runtime needs is loaded before the handler's root is on the import path."""
    (define("").root / "logging.py").write_text("raise RuntimeError('not the one')")
    assert await result(await start(ECHO), 1) == 1


async def test_a_process_serves_many_invocations(start: Start) -> None:
    """Module state is kept between invocations, as in a warm Lambda environment."""
    host = await start(
        "seen = []\ndef handler(event, context):\n    seen.append(event)\n    return len(seen)"
    )
    assert [await result(host, number) for number in range(50)] == list(range(1, 51))


async def test_the_same_request_id_may_come_again(start: Start) -> None:
    """A retried batch keeps its request id."""
    host = await start("def handler(event, context): return context.aws_request_id")
    assert [await result(host), await result(host)] == [REQUEST_ID, REQUEST_ID]


def test_functions_are_hosted_under_uvloop(define: Define) -> None:
    """Start, invoke, kill at the deadline and close work on the other event loop too."""
    source = "import time\ndef handler(event, context):\n    time.sleep(event)\n    return event"

    async def scenario() -> tuple[object, ...]:
        host = FunctionHost(define(source, timeout_s=1.0))
        await host.start()
        try:
            outcomes = [await host.invoke(orjson.dumps(sleep), request_id="a") for sleep in (0, 60, 0)]
        finally:
            await host.close()
        return tuple(type(outcome).__name__ for outcome in outcomes)

    assert uvloop.run(scenario()) == ("Succeeded", "FunctionError", "Succeeded")
