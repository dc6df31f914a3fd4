"""What AWS says of a mapping that is asked for, and the words in which it is passed on."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from mappings.arns import FunctionName
from mappings.errors import (
    InvalidParameterValueException,
    MappingError,
    ServiceException,
    TooManyRequestsException,
)
from mappings.functions import LambdaFunction, UrlFunction
from mappings.model import EventSourceMapping
from mappings.validation import mapping_from_request
from poller.admission import AwsAdmission
from poller.aws import Aws
from poller.budget import ByteBudget
from poller.core.records import Position, Shard
from poller.latest import LatestReaders, LatestSource
from poller.sources.memory import MemoryStream
from poller.surroundings import Surroundings, SystemClock
from poller.targets.timeouts import FunctionTimeouts
from poller.waiting import Drain
from tests.contract.stubbing import answering

ACCOUNT = "us-east-1:123456789012"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:orders"
KINESIS = f"arn:aws:kinesis:{ACCOUNT}:stream/clicks"
DYNAMODB = f"arn:aws:dynamodb:{ACCOUNT}:table/users/stream/2024-06-10T19:26:16.525"
FUNCTION = UrlFunction(name="f", url="http://127.0.0.1:9/", timeout=30)
STREAM_DENIED = (
    "Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
    "DescribeStream, and ListStreams Actions on your stream in IAM."
)
NO_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
    "SQS Error Message: The specified queue does not exist."
)


def mapping_of(arn: str, **members: Any) -> EventSourceMapping:
    """A mapping of a source; a stream is read from its tip."""
    position = {} if "sqs" in arn else {"StartingPosition": "LATEST"}
    return mapping_from_request(
        {"EventSourceArn": arn, "FunctionName": "f", **position, **members}, now=1_800_000_000.0
    )


@asynccontextmanager
async def admission(
    monkeypatch: pytest.MonkeyPatch,
    answers: Mapping[str, tuple[int, Any]],
    latest: LatestReaders | None = None,
) -> AsyncIterator[AwsAdmission]:
    """An admission whose AWS gives these answers, by operation; an error is its code."""

    async def answer(request: web.Request) -> web.Response:
        operation = request.headers.get("X-Amz-Target", "Lambda.Invoke").rpartition(".")[2]
        status, body = answers[operation]
        if isinstance(body, str):
            headers = {"x-amzn-ErrorType": body}
            return web.json_response({"__type": body, "message": "no"}, status=status, headers=headers)
        return web.json_response(body, status=status)

    drain = Drain()
    surroundings = Surroundings(
        clock=SystemClock(), chance=lambda: 0.0, drain=drain, budget=ByteBudget(1 << 20, drain)
    )
    async with answering(answer, monkeypatch), Aws() as aws:
        timeouts = FunctionTimeouts(aws, surroundings.clock)
        yield AwsAdmission(aws, surroundings, latest or LatestReaders(), timeouts=timeouts, metrics=True)


ATTRIBUTES = {"Attributes": {"VisibilityTimeout": "30", "CreatedTimestamp": "1"}}
FOUND = {
    "GetQueueUrl": (200, {"QueueUrl": "http://127.0.0.1/orders"}),
    "GetQueueAttributes": (200, ATTRIBUTES),
}


@pytest.mark.parametrize(
    ("arn", "answers", "error", "message"),
    [
        (QUEUE, {"GetQueueUrl": (400, "QueueDoesNotExist")}, InvalidParameterValueException, NO_QUEUE),
        (
            QUEUE,
            {**FOUND, "GetQueueAttributes": (403, "AccessDeniedException")},
            InvalidParameterValueException,
            "The function execution role does not have permissions to call ReceiveMessage on SQS",
        ),
        (
            KINESIS,
            {"DescribeStreamSummary": (400, "ResourceNotFoundException")},
            InvalidParameterValueException,
            f"Stream not found: {KINESIS}",
        ),
        (
            KINESIS,
            {"DescribeStreamSummary": (400, "AccessDeniedException")},
            InvalidParameterValueException,
            STREAM_DENIED.format(arn=KINESIS),
        ),
        (
            DYNAMODB,
            {"DescribeStream": (400, "ResourceNotFoundException")},
            InvalidParameterValueException,
            f"Stream not found: {DYNAMODB}",
        ),
        (
            DYNAMODB,
            {"DescribeStream": (400, "AccessDeniedException")},
            InvalidParameterValueException,
            STREAM_DENIED.format(arn=DYNAMODB),
        ),
        (
            KINESIS,
            {"DescribeStreamSummary": (400, "LimitExceededException")},
            TooManyRequestsException,
            "Rate exceeded",
        ),
        (
            KINESIS,
            {"DescribeStreamSummary": (500, "InternalFailure")},
            ServiceException,
            "could not be reached",
        ),
    ],
)
async def test_what_a_source_says_is_told_in_the_words_of_aws(
    monkeypatch: pytest.MonkeyPatch,
    arn: str,
    answers: Mapping[str, tuple[int, Any]],
    error: type[MappingError],
    message: str,
) -> None:
    """Missing, denied, throttled, and what a client is to try again."""
    async with admission(monkeypatch, answers) as asked:
        with pytest.raises(error) as refused:
            await asked.source(mapping_of(arn), FUNCTION, making=True)

    assert message in refused.value.message


async def test_a_denied_iterator_is_a_denied_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reading is to begin at the tip, the right to open the shards is asked for."""
    shard = {"ShardId": "s", "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
    summary = {"StreamDescriptionSummary": {"StreamCreationTimestamp": 1.0}}
    answers = {
        "DescribeStreamSummary": (200, summary),
        "ListShards": (200, {"Shards": [shard]}),
        "GetShardIterator": (400, "AccessDeniedException"),
    }
    async with admission(monkeypatch, answers) as asked:
        with pytest.raises(InvalidParameterValueException) as refused:
            await asked.source(mapping_of(KINESIS), FUNCTION, making=True)

    assert refused.value.message == STREAM_DENIED.format(arn=KINESIS)


async def test_an_update_leaves_latest_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shard is opened at the tip of now: what was written since it was made would be passed over."""
    shard = {"ShardId": "s", "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
    answers = {
        "DescribeStreamSummary": (200, {"StreamDescriptionSummary": {"StreamCreationTimestamp": 1.0}}),
        "ListShards": (200, {"Shards": [shard]}),
        "GetShardIterator": (200, {"ShardIterator": "now"}),
    }
    latest, mapping = LatestReaders(), mapping_of(KINESIS)
    async with admission(monkeypatch, answers, latest) as asked:
        await asked.source(mapping, FUNCTION, making=False)
        updated = latest.take(mapping.uuid)
        await asked.source(mapping, FUNCTION, making=True)
        made = latest.take(mapping.uuid)

    assert (set(updated), set(made)) == (set(), {"s"})


@pytest.mark.parametrize(
    ("answer", "exists"),
    [
        ((404, "ResourceNotFoundException"), False),
        ((204, {}), True),
        ((403, "AccessDeniedException"), True),
        ((500, "ServiceException"), True),
    ],
)
async def test_a_function_of_aws_lambda_is_asked_for_without_running_it(
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, Any],
    exists: bool,  # noqa: FBT001 - of the table
) -> None:
    """Only where Lambda knows that it does not exist it is refused."""
    name = FunctionName.parse(f"arn:aws:lambda:{ACCOUNT}:function:x")
    function = LambdaFunction(name="x", function=name)
    async with admission(monkeypatch, {"Invoke": answer}) as asked:
        if exists:
            await asked.function(function)
            return
        with pytest.raises(InvalidParameterValueException, match="Function does not exist"):
            await asked.function(function)


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        (
            {"GetQueueUrl": (403, "AccessDeniedException")},
            InvalidParameterValueException,
            "The function execution role does not have permissions to call SendMessage on SQS",
        ),
        ({"GetQueueUrl": (400, "QueueDoesNotExist")}, InvalidParameterValueException, "failed"),
        ({"GetQueueUrl": (503, "ServiceUnavailable")}, ServiceException, "failed"),
    ],
)
async def test_a_destination_is_looked_up_before_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
    answers: Mapping[str, tuple[int, Any]],
    error: type[MappingError],
    message: str,
) -> None:
    """Denied, missing, and what a client is to try again."""
    destination = {"OnFailure": {"Destination": f"arn:aws:sqs:{ACCOUNT}:failed"}}
    async with admission(monkeypatch, answers) as asked:
        with pytest.raises(error) as refused:
            await asked.destination(mapping_of(KINESIS, DestinationConfig=destination))

    assert message in refused.value.message


async def test_latest_is_the_tip_of_each_shard_at_the_time_of_the_create() -> None:
    """Also of one that was split before anybody read it."""
    stream = MemoryStream(SystemClock(), shards=2)
    stream.put("shard-0", "before")
    stream.put("shard-1", "before")
    drain, latest = Drain(), LatestReaders()
    limit = Surroundings(
        clock=SystemClock(), chance=lambda: 0.0, drain=drain, budget=ByteBudget(1, drain)
    ).opening
    await latest.open("m", stream, (await stream.discover()).shards, limit)
    stream.put("shard-0", "after")
    stream.split("shard-1", "child")

    source = LatestSource(stream, latest.take("m"))
    listed = {shard.id: shard.closed for shard in (await source.discover()).shards}
    reader = await source.open(Shard(id="shard-0"), Position.latest(0.0))
    page = await reader.receive(10, 0.0)

    assert listed == {"shard-0": False, "shard-1": False, "child": False}
    assert [json.loads(record.event)["data"] for record in page.records] == ["after"]
    assert latest.take("m") == {}


CONSUMER = f"{KINESIS}/consumer/fast:1700000000"
SUMMARY = {
    "StreamDescriptionSummary": {
        "StreamName": "clicks",
        "StreamARN": KINESIS,
        "StreamStatus": "ACTIVE",
        "RetentionPeriodHours": 24,
        "StreamCreationTimestamp": 1.0,
        "EnhancedMonitoring": [],
        "OpenShardCount": 1,
    }
}
STREAM = {"DescribeStreamSummary": (200, SUMMARY), "ListShards": (200, {"Shards": []})}


@pytest.mark.parametrize(
    ("answer", "refused"),
    [((400, "ResourceNotFoundException"), True), ((400, "AccessDeniedException"), False)],
)
async def test_a_consumer_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str], *, refused: bool
) -> None:
    """Its stream exists; who may not ask for a consumer finds out by reading."""
    async with admission(monkeypatch, {**STREAM, "DescribeStreamConsumer": answer}) as asking:
        asked = asking.source(mapping_of(CONSUMER), FUNCTION, making=True)
        if not refused:
            await asked
            return
        with pytest.raises(InvalidParameterValueException) as error:
            await asked
    assert str(error.value) == f"Stream not found: {CONSUMER}"


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "UnrecognizedClientException", "InvalidClientTokenId"]
)
@pytest.mark.parametrize("arn", [QUEUE, KINESIS, DYNAMODB])
async def test_credentials_that_are_not_valid_are_the_pollers_fault(
    monkeypatch: pytest.MonkeyPatch, arn: str, code: str
) -> None:
    """And no missing permission of the function."""
    answers = dict.fromkeys(("GetQueueUrl", "DescribeStreamSummary", "DescribeStream"), (403, code))
    async with admission(monkeypatch, answers) as asking:
        with pytest.raises(ServiceException) as error:
            await asking.source(mapping_of(arn), FUNCTION, making=True)

    assert str(error.value).startswith("The poller's own AWS credentials are missing, expired or not valid: ")
    assert code in str(error.value)


async def test_what_the_sdk_stumbles_over_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without a scheme, as one of many."""
    async with admission(monkeypatch, {}) as asking:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:4566")
        with pytest.raises(ServiceException) as error:
            await asking.source(mapping_of(QUEUE), FUNCTION, making=True)

    assert "localhost:4566" in str(error.value)
