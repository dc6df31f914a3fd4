"""The least that polling takes."""

from dataclasses import replace
from typing import Any

from mappings.arns import FunctionName
from mappings.functions import Function, LambdaFunction, UrlFunction
from mappings.validation import mapping_from_request
from poller.core.policy import StateTable, policy

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/users/stream/2024-06-10T19:26:16.525"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:f:live"


def allowed(
    *requests: dict[str, Any], functions: dict[str, Function] | None = None, table: StateTable | None = None
) -> dict[str, set[str]]:
    """Each action, and on what."""
    mappings = [mapping_from_request({"FunctionName": FUNCTION, **request}, now=2e9) for request in requests]
    found: dict[str, set[str]] = {}
    document: Any = policy(mappings, functions or {}, table)
    for statement in document["Statement"]:
        for action in statement["Action"]:
            found.setdefault(action, set()).update(statement["Resource"])
    return found


def test_a_queue_takes_five_calls_and_the_function_two() -> None:
    """On exactly these."""
    found = allowed({"EventSourceArn": QUEUE})

    assert found.pop("lambda:InvokeFunction") == {FUNCTION}
    assert found.pop("lambda:GetFunctionConfiguration") == {FUNCTION}
    assert {action.split(":")[1] for action in found} == {
        *("ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes", "GetQueueUrl")
    }
    assert set.union(*found.values()) == {QUEUE}


def test_each_kind_of_stream_takes_its_own_calls() -> None:
    """A consumer is subscribed to, and its stream listed."""
    start = {"StartingPosition": "TRIM_HORIZON"}
    consumer = f"{STREAM}/consumer/fast:1700000000"

    assert allowed({"EventSourceArn": STREAM, **start})["kinesis:GetRecords"] == {STREAM}
    assert allowed({"EventSourceArn": TABLE, **start})["dynamodb:GetRecords"] == {TABLE}
    fan_out = allowed({"EventSourceArn": consumer, **start})
    assert fan_out["kinesis:SubscribeToShard"] == {consumer}
    assert fan_out["kinesis:ListShards"] == {STREAM}
    assert "kinesis:GetRecords" not in fan_out


def test_a_function_that_is_not_lambdas_takes_nothing() -> None:
    """A listed function of Lambda is allowed as it is listed; a timeout that is listed is not asked for."""
    request = {"EventSourceArn": QUEUE, "FunctionName": "f"}
    url = UrlFunction(name="f", url="http://127.0.0.1:1")
    listed = LambdaFunction(name="f", function=FunctionName.parse(FUNCTION))

    assert "lambda:InvokeFunction" not in allowed(request, functions={"f": url})
    assert allowed(request, functions={"f": listed})["lambda:InvokeFunction"] == {FUNCTION}
    assert "lambda:GetFunctionConfiguration" in allowed(request, functions={"f": listed})
    timed = replace(listed, timeout=60.0)
    assert "lambda:GetFunctionConfiguration" not in allowed(request, functions={"f": timed})


def test_a_destination_is_allowed_what_sending_takes() -> None:
    """In a bucket below one prefix."""
    start = {"EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON"}

    def to(arn: str) -> dict[str, set[str]]:
        return allowed({**start, "DestinationConfig": {"OnFailure": {"Destination": arn}}})

    queue = "arn:aws:sqs:eu-west-1:123456789012:failed"
    topic = "arn:aws:sns:eu-west-1:123456789012:failed"
    assert to(queue)["sqs:SendMessage"] == {queue}
    assert to(topic)["sns:Publish"] == {topic}
    (path,) = to("arn:aws:s3:::failed")["s3:PutObject"]
    assert path.startswith("arn:aws:s3:::failed/aws/lambda/")
    assert path.endswith("/*")


def test_a_fleet_is_allowed_its_namespace_of_the_table() -> None:
    """And not to make one."""
    table = StateTable(name="fleet", namespace="blue", region="eu-west-1")
    mapping = mapping_from_request({"EventSourceArn": QUEUE, "FunctionName": FUNCTION}, now=2e9)

    statement: Any = policy([mapping], {}, table)["Statement"]

    assert statement[-1]["Resource"] == ["arn:aws:dynamodb:eu-west-1:123456789012:table/fleet"]
    assert statement[-1]["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["blue/*"]}}
    assert not any("Table" in action for action in statement[-1]["Action"])
