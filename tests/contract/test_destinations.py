"""What every on-failure destination promises, over real HTTP; and what the services' errors mean."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest
from aiohttp import web

from mappings.arns import EventSource
from mappings.model import EventSourceMapping
from poller.aws import Aws
from poller.core.discards import Condition, Discard
from poller.core.documents import Document, failure_document
from poller.core.records import Record
from poller.destinations import make_destination
from poller.destinations.memory import MemoryDestination
from poller.errors import (
    DestinationDenied,
    DestinationError,
    DestinationGone,
    DestinationUnavailable,
    DestinationUnsuitable,
)
from poller.interfaces import Destination
from tests.conftest import REGION, Moto, unique
from tests.contract.stubbing import answering

SERVICES = ["sqs", "sns", "s3"]
ARNS = {
    "sqs": "arn:aws:sqs:eu-west-1:123456789012:failures",
    "sns": "arn:aws:sns:eu-west-1:123456789012:failures",
    "s3": "arn:aws:s3:::failures",
}
MAPPING = EventSourceMapping(
    uuid="14e0db71-5d35-4eb5-b481-8945cf9d10c2",
    event_source=EventSource.parse("arn:aws:kinesis:eu-west-1:123456789012:stream/orders"),
    function_name="audit",
    function_arn="arn:aws:lambda:eu-west-1:123456789012:function:audit",
    batch_size=1,
)


def document(number: int = 1) -> Document:
    """A document of a discard of one record."""
    record = Record(
        item_identifier=str(number),
        event='{"data":"\\u00e9 é"}'.encode(),
        arrived_at=1704067200.12,
        order_key="k",
        position=str(number),
        receipt=str(number),
    )
    discard = Discard(
        records=(record,),
        condition=Condition.RETRY_ATTEMPTS_EXHAUSTED,
        invoke_count=2,
        request_id=f"request-{number}",
        response=None,
    )
    return failure_document(discard, mapping=MAPPING, shard="shardId-000000000000", wall_now=1704067260.5)


# ----- every destination


@dataclass(frozen=True)
class Subject:
    """A destination under test, and how to read what arrived."""

    destination: Destination
    arrived: Callable[[], list[str]]
    holds_payload: bool = False


@pytest.fixture(params=["memory", *SERVICES])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    """An empty destination of each kind."""
    if request.param == "memory":
        memory = MemoryDestination()
        yield Subject(memory, lambda: [document.text() for document in memory.documents])
        return
    moto: Moto = request.getfixturevalue("moto")
    arn, arrived = {"sqs": _queue, "sns": _topic, "s3": _bucket}[request.param](moto)
    async with Aws() as aws:
        destination = make_destination(arn, region=REGION, aws=aws)
        yield Subject(destination, arrived, holds_payload=request.param == "s3")


def _queue(moto: Moto) -> tuple[str, Callable[[], list[str]]]:
    url, arn = moto.queue()
    return arn, lambda: _bodies(moto, url)


def _topic(moto: Moto) -> tuple[str, Callable[[], list[str]]]:
    """A topic that a queue is subscribed to."""
    url, queue = moto.queue()
    sns = moto.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    return topic, lambda: _bodies(moto, url)


def _bucket(moto: Moto) -> tuple[str, Callable[[], list[str]]]:
    s3 = moto.client("s3")
    name = unique("bucket")
    s3.create_bucket(Bucket=name)

    def objects() -> list[str]:
        listed = s3.list_objects_v2(Bucket=name).get("Contents", ())
        return [s3.get_object(Bucket=name, Key=o["Key"])["Body"].read().decode() for o in listed]

    return f"arn:aws:s3:::{name}", objects


def _bodies(moto: Moto, url: str) -> list[str]:
    answer = moto.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", ())]


async def test_a_document_arrives_as_it_is(subject: Subject) -> None:
    """To the byte; with the event only where there is room for it."""
    await subject.destination.send(document())

    expected = document().with_payload().decode() if subject.holds_payload else document().text()
    assert subject.arrived() == [expected]


async def test_each_document_arrives(subject: Subject) -> None:
    """Also several of one second, sent at the same time, on one client."""
    async with anyio.create_task_group() as group:
        for number in range(5):
            group.start_soon(subject.destination.send, document(number))

    requests = [json.loads(text)["requestContext"]["requestId"] for text in subject.arrived()]
    assert sorted(requests) == [f"request-{number}" for number in range(5)]


async def test_a_second_try_sends_the_same(subject: Subject) -> None:
    """What was not acknowledged may have arrived: who reads both can tell (faults 76)."""
    sent = document()

    await subject.destination.send(sent)
    await subject.destination.send(sent)

    assert len(set(subject.arrived())) == 1


async def test_a_memory_destination_refuses_while_told_to() -> None:
    """The errors of the services are below."""
    memory = MemoryDestination()
    memory.refusal = DestinationDenied("no")

    with pytest.raises(DestinationDenied):
        await memory.send(document())

    assert memory.documents == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_destination_that_does_not_exist_is_gone(moto: Moto, service: str) -> None:
    """As the server itself says it."""
    arn = ARNS[service].replace("eu-west-1", REGION).replace("failures", unique("gone"))
    async with Aws() as aws:
        with pytest.raises(DestinationGone):
            await make_destination(arn, region=REGION, aws=aws).send(document())


async def test_an_object_lies_under_its_dated_key(moto: Moto) -> None:
    """As octets (semantics 3.9.8)."""
    s3 = moto.client("s3")
    bucket = unique("bucket")
    s3.create_bucket(Bucket=bucket)
    async with Aws() as aws:
        await make_destination(f"arn:aws:s3:::{bucket}", region=REGION, aws=aws).send(document())

    (listed,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
    found = s3.get_object(Bucket=bucket, Key=listed["Key"])
    assert listed["Key"] == document().object_key
    assert found["ContentType"] == "application/octet-stream"


# ----- what goes over the wire, and what comes back


@dataclass
class Stub:
    """The three services on one port: they answer what the test says and keep what they were asked."""

    cut: bool = False  # answers break off half-way
    errors: list[tuple[int, str]] = field(default_factory=list)  # status and code of the next answers
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        service, asked = await _read(request)
        operation = request.headers.get("X-Amz-Target", "").partition(".")[2] or request.method
        self.asked.append((operation, dict(request.headers), asked))
        if operation == "GetQueueUrl":
            return _sqs({"QueueUrl": "http://unreachable.example/123456789012/failures"}, 200)
        if self.cut:
            return await _cut_off(request)
        if not self.errors:
            return _SUCCESSES[service]()
        status, code = self.errors.pop(0)
        answer = _ERRORS[service](code, status)
        answer.headers.update(self.headers)
        return answer

    def operations(self) -> list[str]:
        return [operation for operation, _, _ in self.asked]


async def _read(request: web.Request) -> tuple[str, Any]:
    """Which service a request is for, and what it asks."""
    if "X-Amz-Target" in request.headers:
        return "sqs", await request.json()
    if "x-www-form-urlencoded" in request.content_type:
        return "sns", dict(await request.post())
    return "s3", await request.read()


async def _cut_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"Mess')
    assert request.transport is not None
    request.transport.abort()
    return response


def _sqs(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(text=json.dumps(body), status=status, content_type="application/x-amz-json-1.0")


def _xml(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/xml")


_SUCCESSES: dict[str, Callable[[], web.Response]] = {
    "sqs": lambda: _sqs({"MessageId": "m"}, 200),
    "sns": lambda: _xml("<PublishResponse><PublishResult/></PublishResponse>", 200),
    "s3": web.Response,
}
_ERRORS: dict[str, Callable[[str, int], web.Response]] = {
    "sqs": lambda code, status: _sqs({"__type": f"com.amazonaws.sqs#{code}", "message": "no"}, status),
    "sns": lambda code, status: _xml(
        f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>", status
    ),
    "s3": lambda code, status: _xml(f"<Error><Code>{code}</Code><Message>no</Message></Error>", status),
}


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stub]:
    made = Stub()
    async with answering(made.answer, monkeypatch):
        yield made


async def send(service: str, *, times: int = 1, arn: str | None = None) -> None:
    async with Aws() as aws:
        destination = make_destination(arn or ARNS[service], region="eu-west-1", aws=aws)
        for _ in range(times):
            await destination.send(document())


async def test_a_queue_is_found_by_its_name_once(stub: Stub) -> None:
    """In the account of its ARN; the host of its URL is advisory."""
    await send("sqs", times=2)

    assert stub.operations() == ["GetQueueUrl", "SendMessage", "SendMessage"]
    assert stub.asked[0][2] == {"QueueName": "failures", "QueueOwnerAWSAccountId": "123456789012"}
    assert stub.asked[1][2] == {
        "QueueUrl": "http://unreachable.example/123456789012/failures",
        "MessageBody": document().text(),
    }


async def test_a_queue_of_no_account_is_looked_for_in_the_callers(stub: Stub) -> None:
    """An emulator's account is not in the ARN."""
    await send("sqs", arn="arn:aws:sqs:eu-west-1:000000000000:failures")

    assert stub.asked[0][2] == {"QueueName": "failures"}


async def test_a_topic_is_published_to_by_its_arn(stub: Stub) -> None:
    """The message is the document, without a subject."""
    await send("sns")

    ((_, _, asked),) = stub.asked
    assert {name: asked[name] for name in asked if name != "Version"} == {
        "Action": "Publish",
        "TopicArn": ARNS["sns"],
        "Message": document().text(),
    }


@pytest.mark.parametrize("service", ["sqs", "sns"])
async def test_a_queue_or_topic_is_asked_in_the_region_of_its_arn(stub: Stub, service: str) -> None:
    """Whatever the region of the mapping."""
    await send(service, arn=ARNS[service].replace("eu-west-1", "ap-south-1"))

    assert all(f"/ap-south-1/{service}/" in headers["Authorization"] for _, headers, _ in stub.asked)


async def test_a_bucket_of_another_region_is_followed_and_remembered(stub: Stub) -> None:
    """Its ARN does not say where it lies: the mapping's region is asked first."""
    stub.errors = [(301, "PermanentRedirect")]
    stub.headers = {"x-amz-bucket-region": "eu-central-1"}

    await send("s3", times=2)

    regions = [headers["Authorization"].split("/")[2] for _, headers, _ in stub.asked]
    assert regions == ["eu-west-1", "eu-central-1", "eu-central-1"]


CODES: dict[type[DestinationError], str] = {
    DestinationGone: "sqs:QueueDoesNotExist sns:NotFound s3:NoSuchBucket",
    DestinationDenied: "sqs:AccessDeniedException sqs:InvalidSecurity sqs:KmsAccessDenied "
    "sqs:KmsInvalidKeyUsage sqs:KMS.NotFoundException sns:AuthorizationError sns:KMSAccessDenied "
    "s3:AccessDenied s3:InvalidAccessKeyId s3:ExpiredToken",
    DestinationUnsuitable: "sqs:InvalidMessageContents sqs:InvalidParameterValue sqs:UnsupportedOperation "
    "sns:InvalidParameter s3:EntityTooLarge s3:InvalidRequest s3:NeverHeardOf sqs:MissingParameter",
    DestinationUnavailable: "sqs:KmsThrottled sqs:RequestThrottled sqs:InternalError sns:KMSThrottling "
    "sns:Throttling sns:InternalError s3:SlowDown s3:InternalError s3:RequestTimeout",
}


@pytest.mark.parametrize(
    ("answer", "expected"), [(answer, kind) for kind, answers in CODES.items() for answer in answers.split()]
)
async def test_error_codes_say_who_reacts(stub: Stub, answer: str, expected: type[DestinationError]) -> None:
    """One request goes out for each try; the error tells the destination and the code, and no data."""
    service, code = answer.split(":")
    stub.errors = [(400, code)]

    with pytest.raises(expected) as raised:
        await send(service)

    (operation,) = set(stub.operations()) - {"GetQueueUrl"}
    assert stub.operations().count(operation) == 1
    assert str(raised.value).endswith(f" on failures: {code}")


async def test_a_bucket_whose_region_nobody_tells_is_unsuitable(stub: Stub) -> None:
    """The redirect is followed as far as it leads."""
    stub.errors = [(301, "PermanentRedirect")] * 3

    with pytest.raises(DestinationUnsuitable):
        await send("s3")


@pytest.mark.usefixtures("stub")
async def test_a_service_that_cannot_be_reached_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on that port."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(DestinationUnavailable):
        await send("s3")


@pytest.mark.parametrize("service", SERVICES)
async def test_half_an_answer_is_no_acknowledgement(stub: Stub, service: str) -> None:
    """The document may have arrived; it counts once that was said."""
    stub.cut = True

    with pytest.raises(DestinationUnavailable):
        await send(service)


# ----- the registry


@pytest.mark.parametrize(
    ("arn", "sentence"),
    [
        ("arn:aws:sqs:eu-west-1:123456789012:failures.fifo", "must be a standard SQS queue"),
        ("arn:aws:sns:eu-west-1:123456789012:failures.fifo", "must be a standard SNS topic"),
        ("arn:aws:sns:eu-west-1:123456789012:failures:subscription", "must be a standard SNS topic"),
        ("arn:aws:s3:::failures/prefix", "must be an S3 bucket"),
        ("arn:aws:s3:eu-west-1:123456789012:accesspoint/failures", "must be an S3 bucket"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:failures", "must be an SQS queue, an SNS topic or"),
        ("arn:aws:sqs:::failures", "names no region"),
        ("kafka://failures", "is not an ARN"),
    ],
)
async def test_what_is_no_destination_is_refused_with_a_sentence(arn: str, sentence: str) -> None:
    """Before anything is discarded (semantics 1.4.15, faults 77)."""
    async with Aws() as aws:
        with pytest.raises(DestinationUnsuitable, match=sentence):
            make_destination(arn, region=REGION, aws=aws)
