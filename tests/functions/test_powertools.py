"""Batch handlers written with AWS Lambda Powertools, unmodified, for each event source."""

import base64
from typing import Any

import orjson
import pytest

from poller.core.outcomes import Succeeded
from poller.core.responses import failed_items
from tests.functions.hosting import Start

HANDLER = """
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
    from aws_lambda_powertools.utilities.typing import LambdaContext

    processor = BatchProcessor(event_type=EventType.{kind})
    logger = Logger(service="orders")

    def record_handler(record):
        if "bad" in str({what}):
            raise ValueError("bad record")
        logger.info("handled")

    @logger.inject_lambda_context
    def handler(event, context: LambdaContext):
        return process_partial_response(
            event=event, record_handler=record_handler, processor=processor, context=context
        )
"""


def sqs(number: int, text: str) -> dict[str, Any]:
    """A message as the poller hands it over."""
    return {
        "messageId": f"id-{number}",
        "receiptHandle": "handle",
        "body": text,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
        "awsRegion": "us-east-1",
    }


def kinesis(number: int, text: str) -> dict[str, Any]:
    """A record of a Kinesis stream."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": f"id-{number}",
            "data": base64.b64encode(text.encode()).decode(),
            "approximateArrivalTimestamp": 1607497475.0,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000006:id-{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
    }


def dynamodb(number: int, text: str) -> dict[str, Any]:
    """A record of a DynamoDB stream."""
    return {
        "eventID": "1",
        "eventVersion": "1.1",
        "dynamodb": {
            "Keys": {"Id": {"N": "101"}},
            "NewImage": {"Message": {"S": text}, "Id": {"N": "101"}},
            "SequenceNumber": f"id-{number}",
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "awsRegion": "us-east-1",
        "eventName": "INSERT",
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/users/stream/2024",
        "eventSource": "aws:dynamodb",
    }


@pytest.mark.parametrize(
    ("kind", "what", "record"),
    [
        ("SQS", "record.body", sqs),
        ("KinesisDataStreams", "record.kinesis.data_as_text()", kinesis),
        ("DynamoDBStreams", "record.dynamodb.new_image", dynamodb),
    ],
)
async def test_a_batch_handler_of_powertools_runs_unmodified(
    start: Start, kind: str, what: str, record: Any
) -> None:
    """It names the records that failed, and the poller reads which ones."""
    host = await start(HANDLER.format(kind=kind, what=what))
    texts = ["good", "bad", "good", "bad"]
    event = {"Records": [record(number, text) for number, text in enumerate(texts)]}
    outcome = await host.invoke(orjson.dumps(event), request_id="request-1")

    assert isinstance(outcome, Succeeded), outcome
    known = [f"id-{number}" for number in range(len(texts))]
    assert failed_items(outcome.payload, known) == {"id-1", "id-3"}
