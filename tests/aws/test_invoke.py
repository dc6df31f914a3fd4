"""The Invoke API of a running poller, through boto3 and the AWS CLI, unchanged."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.control import Cli, endpoint, lambda_client
from tests.aws.invoking import HANDLERS, Application, application, invoke, refusal
from tests.aws.running import Run, until

ARN = "arn:aws:lambda:us-east-1:000000000000:function:audit"


@dataclass(frozen=True)
class Poller:
    """One running poller, its clients, and what is behind it."""

    run: Run
    client: Any
    cli: Cli
    app: Application
    upstream: Run


@pytest.fixture(scope="module")
def poller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Poller]:
    """Functions of each kind; what stands for AWS Lambda is a second poller."""
    upstream = Run(tmp_path_factory.mktemp("upstream"), {})
    run = Run(tmp_path_factory.mktemp("invoke"), {})
    for each in (upstream, run):
        each.api = "127.0.0.1:0"
        (each.folder / "app.py").write_text(HANDLERS)
    with application() as app:
        try:
            upstream.write_file({"prod-billing": {"handler": "app:handler", "aliases": {"live": "7"}}}, [])
            upstream.start()
            run._environment.update(
                AWS_ENDPOINT_URL_LAMBDA=endpoint(upstream),
                AWS_ACCESS_KEY_ID="test",
                AWS_SECRET_ACCESS_KEY="test",
            )
            run.write_file(
                {
                    "audit": {
                        "handler": "app:handler",
                        "concurrency": 2,
                        "aliases": {"live": "3", "beta": "$LATEST"},
                    },
                    "brief": {"handler": "app:handler", "timeout": 2},
                    "crowd": {"handler": "app:handler", "concurrency": 4},
                    "closed": {"handler": "app:handler", "concurrency": 0},
                    "resize": {"url": app.url, "concurrency": 1, "timeout": 10, "aliases": {"live": "5"}},
                    "nowhere": {"url": "http://127.0.0.1:9/"},
                    "billing": {"lambda": "prod-billing", "timeout": 10},
                },
                [],
            )
            run.start()
            url = endpoint(run)
            with closing(lambda_client(url)) as client:
                yield Poller(run, client, Cli(url, run.folder), app, upstream)
        finally:
            run.close()
            upstream.close()


@pytest.mark.parametrize(
    ("name", "qualifier", "arn", "version"),
    [
        ("audit", None, ARN, "$LATEST"),
        ("audit:live", None, f"{ARN}:live", "3"),
        ("audit", "live", f"{ARN}:live", "3"),
        ("audit:live", "live", f"{ARN}:live", "3"),
        ("audit", "3", f"{ARN}:3", "3"),
        ("audit:beta", None, f"{ARN}:beta", "$LATEST"),
        ("audit", "$LATEST", f"{ARN}:$LATEST", "$LATEST"),
        ("function:audit", None, ARN, "$LATEST"),
        (
            "000000000000:function:audit:live",
            None,
            f"{ARN}:live",
            "3",
        ),
        (f"{ARN}:live", None, f"{ARN}:live", "3"),
    ],
)
def test_every_form_of_a_name_finds_its_version(
    poller: Poller, name: str, qualifier: str | None, arn: str, version: str
) -> None:
    """Header and context agree on the version; the ARN is qualified as asked."""
    more = {} if qualifier is None else {"Qualifier": qualifier}
    answered = invoke(poller.client, name, {"say": "hello"}, **more)

    assert (answered.status, answered.error, answered.version) == (200, None, version)
    assert answered.payload["version"] == version
    assert answered.payload["arn"] == arn
    assert answered.payload["event"] == {"say": "hello"}
    assert answered.payload["id"] == answered.request_id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("123456789012:function:audit", "Function not found: "),
        (
            "arn:aws:lambda:eu-west-1:000000000000:function:audit",
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        ),
    ],
)
def test_a_hosted_function_does_not_answer_for_its_name_elsewhere(
    poller: Poller, name: str, message: str
) -> None:
    """In another account or region it is another function."""
    with pytest.raises(ClientError) as refused:
        invoke(poller.client, name)

    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert message in str(refused.value)


def test_a_function_that_raises_is_a_200_with_a_header(poller: Poller) -> None:
    """The body is the runtime's own (semantics 6.2.3)."""
    answered = invoke(poller.client, event={"raise": "no"})

    assert (answered.status, answered.error) == (200, "Unhandled")
    assert {name: answered.payload[name] for name in ("errorMessage", "errorType", "requestId")} == {
        "errorMessage": "no",
        "errorType": "ValueError",
        "requestId": answered.request_id,
    }
    assert answered.payload["stackTrace"]


@pytest.mark.parametrize(
    ("event", "kind", "message"),
    [
        ({"exit": 0}, "Runtime.ExitError", "RequestId: {} Error: Runtime exited without providing a reason"),
        ({"sleep": 9}, "Sandbox.Timedout", "RequestId: {} Error: Task timed out after 2.00 seconds"),
    ],
)
def test_a_function_that_ends_without_an_answer_is_a_function_error(
    poller: Poller, event: Any, kind: str, message: str
) -> None:
    """In the sandbox's words, under the id of the request."""
    answered = invoke(poller.client, "brief", event)

    assert answered.error == "Unhandled"
    assert answered.payload == {"errorType": kind, "errorMessage": message.format(answered.request_id)}


def test_no_payload_is_an_empty_object(poller: Poller) -> None:
    """So that a handler always has an event."""
    assert invoke(poller.client).payload["event"] == {}


def test_a_dry_run_runs_nothing(poller: Poller) -> None:
    """204 where it could be invoked."""
    before = len(poller.run.events())
    answered = invoke(poller.client, event={"say": "dry"}, InvocationType="DryRun")

    assert (answered.status, answered.payload) == (204, None)
    assert len(poller.run.events()) == before
    assert refusal(poller.client, "audit:nothing", InvocationType="DryRun")[0] == 404


def test_a_log_tail_is_that_of_the_invocation(poller: Poller) -> None:
    """Between the lines that Lambda writes."""
    answered = invoke(poller.client, "audit:live", {"say": "tail"}, LogType="Tail")

    assert answered.tail is not None
    begin, said, end, report = answered.tail.splitlines()
    assert begin == f"START RequestId: {answered.request_id} Version: 3"
    assert (said, end) == ("seen tail", f"END RequestId: {answered.request_id}")
    assert report.startswith(f"REPORT RequestId: {answered.request_id}\tDuration: ")


def test_log_tails_of_many_at_once_hold_their_own_lines_alone(poller: Poller) -> None:
    """Four processes, eighty callers."""

    def call(number: int) -> str | None:
        return invoke(poller.client, "crowd", {"say": f"caller-{number}"}, LogType="Tail").tail

    with ThreadPoolExecutor(4) as callers:
        tails = list(callers.map(call, range(80)))
    for number, tail in enumerate(tails):
        assert tail is not None
        assert [line for line in tail.splitlines() if "seen" in line] == [f"seen caller-{number}"]


def test_a_client_context_reaches_the_handler(poller: Poller) -> None:
    """Up to 3,583 bytes of base64."""
    context = json.dumps({"custom": {"user": "é" * 1200}}, ensure_ascii=False).encode()
    encoded = base64.b64encode(context).decode()
    assert 3200 < len(encoded) <= 3583

    answered = invoke(poller.client, ClientContext=encoded)
    assert answered.payload["custom"] == {"user": "é" * 1200}


LARGE = b'"' + b"x" * 6_291_454 + b'"'


def test_the_largest_payload_is_taken(poller: Poller) -> None:
    """6 MiB to the byte; its answer, which is larger, is a function error."""
    answered = json.loads(poller.client.invoke(FunctionName="audit", Payload=LARGE)["Payload"].read())

    assert answered["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("nothing", {}, (404, "ResourceNotFoundException", "Function not found: {}nothing:$LATEST")),
        ("audit:9", {}, (404, "ResourceNotFoundException", "Function not found: {}audit:9")),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:elsewhere",
            {},
            (
                404,
                "ResourceNotFoundException",
                "Function not found: arn:aws:lambda:us-east-1:123456789012:function:elsewhere:$LATEST",
            ),
        ),
        (
            "audit:live",
            {"Qualifier": "3"},
            (
                400,
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            ),
        ),
        (
            "audit",
            {"Payload": b"{nope"},
            (
                400,
                "InvalidRequestContentException",
                (
                    "Could not parse request body into json: Could not parse payload into json: "
                    "Expecting property name enclosed in double quotes at line 1, column 2"
                ),
            ),
        ),
        (
            "audit",
            {"Payload": b'"\xff"'},
            (
                400,
                "InvalidRequestContentException",
                (
                    "Could not parse request body into json: Could not parse payload into json: "
                    "Invalid UTF-8 at byte 1"
                ),
            ),
        ),
        (
            "audit",
            {"Payload": LARGE + b" "},
            (413, "RequestTooLargeException", "Request must be smaller than 6291456 bytes"),
        ),
        (
            "audit",
            {"Payload": b'"' + b"x" * 1_048_575 + b'"', "InvocationType": "Event"},
            (
                413,
                "RequestTooLargeException",
                "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
            ),
        ),
        (
            "audit",
            {"ClientContext": "e30=" * 896},
            (
                400,
                "InvalidRequestContentException",
                "Client context must be at most 3583 bytes of Base64-encoded data.",
            ),
        ),
        (
            "audit",
            {"ClientContext": "{}"},
            (
                400,
                "InvalidRequestContentException",
                "Client context must be a valid Base64-encoded JSON object.",
            ),
        ),
        (
            "audit",
            {"InvocationType": "Later"},
            (
                400,
                "ValidationException",
                (
                    "1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy "
                    "constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
                ),
            ),
        ),
        (
            "audit",
            {"TenantId": "blue"},
            (
                400,
                "InvalidParameterValueException",
                "X-Amz-Tenant-Id is given, but only functions of AWS Lambda can have it.",
            ),
        ),
        ("closed", {}, (429, "TooManyRequestsException", "Rate Exceeded.")),
        (
            "nowhere",
            {},
            (500, "ServiceException", "The function could not be invoked: ClientConnectorError"),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_gets_awss_error(
    poller: Poller, name: str, parameters: Any, expected: tuple[int, str, str]
) -> None:
    """Class, status and words."""
    status, code, message = expected

    found = refusal(poller.client, name, **parameters)
    assert found == (status, code, message.format("arn:aws:lambda:us-east-1:000000000000:function:"))


def test_callers_beyond_the_concurrency_are_throttled(poller: Poller) -> None:
    """With Reason and Retry-After, at once."""
    over = poller.run.folder / "over"
    with ThreadPoolExecutor(4) as callers:
        running = [
            callers.submit(invoke, poller.client, "crowd", {"until": str(over), "say": f"throttle-{n}"})
            for n in range(4)
        ]
        until(lambda: sum("throttle-" in str(each["event"]) for each in poller.run.events()) == 4)
        with pytest.raises(poller.client.exceptions.TooManyRequestsException) as refused:
            invoke(poller.client, "crowd")
        over.touch()
        assert [each.result().error for each in running] == [None] * 4

    response: Any = refused.value.response
    assert response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert response["retryAfterSeconds"] == "1"
    assert response["Type"] == "User"


def test_an_http_function_is_invoked_as_any_other(poller: Poller) -> None:
    """Its status becomes a result or a function error; its version is the alias's."""
    answered = invoke(poller.client, "resize:live", {"id": 1}, LogType="Tail")
    assert (answered.status, answered.payload, answered.version) == (200, {"ok": True}, "5")
    headers, body = poller.app.asked[-1]
    assert body == b'{"id": 1}'
    assert headers["Lambda-Runtime-Aws-Request-Id"] == answered.request_id
    assert headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(":resize:live")

    poller.app.status = 500
    failed = invoke(poller.client, "resize")
    poller.app.status = 200
    assert (failed.status, failed.error) == (200, "Unhandled")
    assert failed.payload == {
        "errorType": "Http.500",
        "errorMessage": "The application answered with status 500.",
    }


def test_the_concurrency_of_an_http_function_is_reserved_too(poller: Poller) -> None:
    """The second caller is refused while the first is answered."""
    poller.app.hold.clear()
    before = len(poller.app.asked)
    with ThreadPoolExecutor(1) as callers:
        first = callers.submit(invoke, poller.client, "resize")
        until(lambda: len(poller.app.asked) > before)
        assert refusal(poller.client, "resize")[1] == "TooManyRequestsException"
        poller.app.hold.set()
        assert first.result().status == 200


def test_a_function_of_lambda_is_passed_on_with_what_was_asked(poller: Poller) -> None:
    """Qualifier, log tail, client context; version, error and request id come back."""
    context = base64.b64encode(b'{"custom":{"user":"u"}}').decode()
    answered = invoke(
        poller.client, "billing", {"say": "up"}, Qualifier="live", LogType="Tail", ClientContext=context
    )
    assert (answered.version, answered.payload["version"]) == ("7", "7")
    assert answered.payload["custom"] == {"user": "u"}
    assert answered.payload["id"] == answered.request_id
    assert "seen up" in str(answered.tail)

    failed = invoke(poller.client, "billing", {"raise": "no"})
    assert (failed.error, failed.payload["errorType"]) == ("Unhandled", "ValueError")
    assert invoke(poller.client, "billing", InvocationType="DryRun").status == 204


def test_an_event_for_a_function_of_lambda_is_lambdas_to_keep(poller: Poller) -> None:
    """It is queued there."""
    answered = invoke(poller.client, "billing", {"say": "later"}, InvocationType="Event")

    assert answered.status == 202
    until(lambda: any(each["event"] == {"say": "later"} for each in poller.upstream.events()))


def test_what_lambda_refuses_is_refused_in_its_words(poller: Poller) -> None:
    """Class, status and message are passed on."""
    status, code, message = refusal(poller.client, "billing", Qualifier="nothing")

    assert (status, code) == (404, "ResourceNotFoundException")
    assert message.endswith("function:prod-billing:nothing")


def test_waiters_find_a_function_ready(poller: Poller) -> None:
    """The same that a deployment waits with."""
    for waiter in (
        "function_exists",
        "function_active",
        "function_updated",
        "function_active_v2",
        "function_updated_v2",
    ):
        poller.client.get_waiter(waiter).wait(
            FunctionName="audit", WaiterConfig={"Delay": 1, "MaxAttempts": 1}
        )
    shown = poller.client.get_function(FunctionName="audit", Qualifier="live")
    assert shown["Configuration"]["Version"] == "3"
    assert shown["Concurrency"] == {"ReservedConcurrentExecutions": 2}


# ----- the AWS CLI


def test_the_cli_invokes_in_each_way(poller: Poller, tmp_path: Path) -> None:
    """Synchronously with the log, asynchronously, dry, and with an error of the function."""
    out = tmp_path / "out.json"
    raw = ("--cli-binary-format", "raw-in-base64-out") if _is_version_2() else ()

    def call(*arguments: str) -> Any:
        return poller.cli.answer("invoke", "--function-name", "audit", *raw, *arguments, str(out))

    said = call("--payload", '{"say":"cli"}', "--log-type", "Tail", "--qualifier", "live")
    assert (said["StatusCode"], said["ExecutedVersion"]) == (200, "3")
    assert "seen cli" in base64.b64decode(said["LogResult"]).decode()
    assert json.loads(out.read_text())["event"] == {"say": "cli"}
    assert call("--payload", '{"raise":"no"}')["FunctionError"] == "Unhandled"
    assert call("--invocation-type", "DryRun")["StatusCode"] == 204
    assert call("--invocation-type", "Event", "--payload", '{"say":"cli-later"}')["StatusCode"] == 202
    until(lambda: any(each["event"] == {"say": "cli-later"} for each in poller.run.events()))


def test_the_cli_shows_errors_and_waits_for_functions(poller: Poller, tmp_path: Path) -> None:
    """With the code that scripts look for."""
    done = poller.cli.run("invoke", "--function-name", "closed", str(tmp_path / "out"))
    assert "(TooManyRequestsException)" in done.stderr
    done = poller.cli.run("invoke", "--function-name", "nothing", str(tmp_path / "out"))
    assert "(ResourceNotFoundException)" in done.stderr

    poller.cli.answer("wait", "function-active-v2", "--function-name", "audit")


def _is_version_2() -> bool:
    """Version 2 takes payloads as base64 where nothing else is said; version 1 knows no such option."""
    import importlib.metadata

    return importlib.metadata.version("awscli").startswith("2")
