"""Where asynchronous events are told of: what arrives at each kind of destination, and what refusals mean."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from mappings.arns import FunctionName
from poller.aws import Aws
from poller.core.async_events import Condition, Ending, QueuedEvent, Response
from poller.core.event_time import Age, Moment
from poller.core.invocation_records import dead_letter, invocation_record
from poller.destinations.of_events import EventDestinations
from poller.errors import (
    DestinationDenied,
    DestinationError,
    DestinationUnavailable,
    StateUnavailable,
)
from poller.events.queue import QueueFull
from tests.conftest import ACCOUNT, REGION, Moto, unique
from tests.contract.stubbing import answering

FUNCTION = f"arn:aws:lambda:{REGION}:000000000000:function:audit"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
ELSEWHERE = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:elsewhere:live"
LISTED = "arn:aws:lambda:us-east-1:000000000000:function:resize"


def event(condition: Condition = Condition.RETRIES_EXHAUSTED, payload: bytes = b'{"id":1}') -> QueuedEvent:
    """An event that has ended."""
    return QueuedEvent(
        request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        function="audit",
        qualifier=None,
        function_arn=FUNCTION,
        payload=payload,
        accepted_at=1_704_067_200.0,
        due_at=1_704_067_200.0,
        age=Age(until=Moment(at=1_704_067_200.0, clock="wall/1")),
        delivered=3,
        failed=3,
        response=Response(
            status_code=200,
            executed_version="$LATEST",
            function_error="Unhandled",
            payload=b'{"errorMessage":"no"}',
        ),
        ending=Ending(condition=condition, at=1_704_067_380.5),
    )


async def never(_: str, __: bytes) -> None:
    """No function is listed."""
    raise AssertionError


@pytest.fixture
async def destinations(moto: Moto) -> AsyncIterator[EventDestinations]:
    """Destinations at an AWS-compatible server."""
    async with Aws() as aws:
        yield EventDestinations(aws=aws, is_listed=lambda _: False, accept=never)


def messages(moto: Moto, url: str) -> list[dict[str, Any]]:
    """What is in a queue."""
    answer = moto.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return list(answer.get("Messages", ()))


def topic_of(moto: Moto) -> tuple[str, str]:
    """A topic that a queue is subscribed to: the queue's URL, the topic's ARN."""
    url, queue = moto.queue()
    sns = moto.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    return url, topic


@pytest.mark.parametrize("make", [Moto.queue, topic_of], ids=["sqs", "sns"])
async def test_a_record_is_one_message(
    moto: Moto, destinations: EventDestinations, make: Callable[[Moto], tuple[str, str]]
) -> None:
    """To the byte."""
    url, arn = make(moto)
    record = invocation_record(event())
    await destinations.tell(arn, record, region=REGION)

    assert [message["Body"] for message in messages(moto, url)] == [record.text()]


@pytest.mark.parametrize("make", [Moto.queue, topic_of], ids=["sqs", "sns"])
async def test_a_dead_letter_is_the_event_with_its_attributes(
    moto: Moto, destinations: EventDestinations, make: Callable[[Moto], tuple[str, str]]
) -> None:
    """The same three at both services."""
    url, arn = make(moto)
    await destinations.bury(arn, dead_letter(event()))

    (message,) = messages(moto, url)
    assert message["Body"] == '{"id":1}'
    found = {name: (of["DataType"], of["StringValue"]) for name, of in message["MessageAttributes"].items()}
    assert found == {
        "RequestID": ("String", event().request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "no"),
    }


async def test_a_record_is_an_object_of_a_bucket(moto: Moto, destinations: EventDestinations) -> None:
    """With its payloads, whatever their size; a second try writes the same object."""
    s3, bucket = moto.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    record = invocation_record(event(payload=b'"' + b"x" * 1_048_000 + b'"'))
    for _ in range(2):
        await destinations.tell(f"arn:aws:s3:::{bucket}", record, region=REGION)

    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert listed["Key"] == record.object_key
    assert s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read() == record.with_payload()


@pytest.mark.parametrize(
    ("condition", "word"), [(Condition.SUCCESS, "Success"), (Condition.RETRIES_EXHAUSTED, "Failure")]
)
async def test_a_record_is_an_event_of_a_bus(
    moto: Moto, destinations: EventDestinations, condition: Condition, word: str
) -> None:
    """In the envelope of Lambda, as a rule's target sees it."""
    url, queue = moto.queue()
    events, rule = moto.client("events"), unique("rule")
    events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": queue}])
    try:
        record = invocation_record(event(condition))
        await destinations.tell(BUS, record, region=REGION)
    finally:
        events.remove_targets(Rule=rule, Ids=["1"])
        events.delete_rule(Name=rule)

    (message,) = messages(moto, url)
    envelope = json.loads(message["Body"])
    assert envelope["detail-type"] == f"Lambda Function Invocation Result - {word}"
    assert envelope["source"] == "lambda"
    assert envelope["resources"] == [BUS, f"{FUNCTION}:$LATEST"]
    assert envelope["detail"] == json.loads(record.text())


@pytest.mark.parametrize(
    ("make", "limit"), [(Moto.queue, 1024 * 1024), (topic_of, 256 * 1024)], ids=["sqs", "sns"]
)
async def test_a_record_that_no_message_holds_is_told_without_its_payloads(
    moto: Moto,
    destinations: EventDestinations,
    make: Callable[[Moto], tuple[str, str]],
    limit: int,
) -> None:
    """As Lambda does; it would never arrive otherwise."""
    url, arn = make(moto)
    await destinations.tell(arn, invocation_record(event(payload=b'"' + b"x" * limit + b'"')), region=REGION)

    (message,) = messages(moto, url)
    assert "requestPayload" not in json.loads(message["Body"])


# ----- functions, and refusals, over stubs


@dataclass
class Stub:
    """Lambda and EventBridge: they answer what the test says and keep what they were asked."""

    status: int = 202
    body: object = None
    code: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.asked.append((request.raw_path, dict(request.headers), await request.read()))
        headers = {"x-amzn-ErrorType": self.code} if self.code else {}
        text = "" if self.body is None else json.dumps(self.body)
        return web.Response(status=self.status, text=text, headers=headers)


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    """A server on loopback."""
    made = Stub()
    async with answering(made.answer, monkeypatch):
        yield made


async def tell(
    arn: str, accept: Callable[[str, bytes], Awaitable[None]] = never, *, listed: str | None = None
) -> None:
    """Tell an ARN of the event."""
    async with Aws() as aws:

        def is_listed(name: FunctionName) -> bool:
            return name.name == listed

        made = EventDestinations(aws=aws, is_listed=is_listed, accept=accept)
        await made.tell(arn, invocation_record(event()), region=REGION)


async def test_a_function_of_lambda_is_invoked_asynchronously(stub: Stub) -> None:
    """With the record as its event, at the qualifier that the ARN names."""
    await tell(ELSEWHERE)

    ((path, headers, body),) = stub.asked
    assert "elsewhere%3Alive" in path
    assert headers["X-Amz-Invocation-Type"] == "Event"
    assert body == invocation_record(event()).with_payload()


async def test_a_function_of_the_files_is_sent_an_event() -> None:
    """It joins the queue of this process, and nothing is asked of AWS."""
    accepted: list[tuple[str, bytes]] = []

    async def accept(arn: str, payload: bytes) -> None:
        accepted.append((arn, payload))

    await tell(LISTED, accept, listed="resize")

    assert accepted == [(LISTED, invocation_record(event()).with_payload())]


@pytest.mark.parametrize("error", [QueueFull(), StateUnavailable("disk full")])
async def test_a_function_whose_queue_takes_nothing_is_told_later(error: Exception) -> None:
    """The event that has ended waits for that."""

    async def accept(_: str, __: bytes) -> None:
        raise error

    with pytest.raises(DestinationUnavailable):
        await tell(LISTED, accept, listed="resize")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("InternalFailure", DestinationUnavailable), ("AccessDeniedException", DestinationDenied)],
)
async def test_an_entry_that_a_bus_refuses_was_not_delivered(
    stub: Stub, code: str, kind: type[DestinationError]
) -> None:
    """PutEvents answers 200 even then."""
    stub.status = 200
    stub.body = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]}

    with pytest.raises(kind):
        await tell(BUS)


async def test_a_function_that_may_not_be_invoked_denies(stub: Stub) -> None:
    """Somebody has to do something about it."""
    stub.status, stub.code, stub.body = 403, "AccessDeniedException", {"Message": "no"}

    with pytest.raises(DestinationDenied):
        await tell(ELSEWHERE)
