"""Event source ARNs and function names, in every form that AWS or an emulator writes."""

import pytest

from mappings.arns import Arn, EventSource, FunctionName, SourceKind
from mappings.errors import InvalidArn, UnrecognizedEventSource


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        (
            "arn:aws:sqs:eu-west-1:123456789012:orders",
            {
                "kind": SourceKind.SQS,
                "partition": "aws",
                "region": "eu-west-1",
                "account": "123456789012",
                "name": "orders",
                "fifo": False,
            },
        ),
        ("arn:aws:sqs:eu-west-1:123456789012:orders.fifo", {"name": "orders.fifo", "fifo": True}),
        ("arn:aws:sqs:elasticmq:000000000000:orders", {"region": "elasticmq", "account": "000000000000"}),
        ("arn:aws-cn:sqs:cn-north-1:123456789012:orders", {"partition": "aws-cn"}),
        (
            "arn:aws:kinesis:us-east-1:123456789012:stream/clicks",
            {"kind": SourceKind.KINESIS, "name": "clicks", "consumer_arn": None},
        ),
        (
            "arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/app:17",
            {
                "name": "clicks",
                "consumer_arn": "arn:aws:kinesis:us-east-1:123456789012:stream/clicks/consumer/app:17",
            },
        ),
        (
            "arn:aws:dynamodb:ddblocal:000000000000:table/users/stream/2024-06-10T19:26:16.525",
            {"kind": SourceKind.DYNAMODB, "name": "users", "stream_label": "2024-06-10T19:26:16.525"},
        ),
    ],
)
def test_an_event_source_is_read_from_its_arn(arn: str, expected: dict[str, object]) -> None:
    """Kind, place and name are in the ARN; account zero and any region are taken."""
    source = EventSource.parse(arn)

    assert source.arn == arn
    assert {field: getattr(source, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("arn", "sentence"),
    [
        (
            "orders",
            '"orders" is not an ARN: arn:partition:service:region:account:resource is expected',
        ),
        (
            "arn:aws:sqs:us-east-1:orders",
            (
                '"arn:aws:sqs:us-east-1:orders" is not an ARN: '
                "arn:partition:service:region:account:resource is expected"
            ),
        ),
        (
            "arn:aws:sqs::123456789012:orders",
            '"arn:aws:sqs::123456789012:orders" names no region',
        ),
        (
            "arn:aws:sqs:us-east-1::orders",
            '"arn:aws:sqs:us-east-1::orders" names no account',
        ),
        (
            "arn:aws:sqs:us-east-1:123456789012:",
            '"arn:aws:sqs:us-east-1:123456789012:" is not a valid ARN: it names no resource',
        ),
        (
            "arn:aws:sqs:us-east-1:1234:orders",
            '"arn:aws:sqs:us-east-1:1234:orders" is not a valid ARN: its account "1234" is malformed',
        ),
        (
            "arn:aws:sqs:us_1:123456789012:orders",
            '"arn:aws:sqs:us_1:123456789012:orders" is not a valid ARN: its region "us_1" is malformed',
        ),
        (
            "arn:aws:sqs:us-east-1:123456789012:a/b",
            (
                '"arn:aws:sqs:us-east-1:123456789012:a/b" does not name an SQS queue, '
                "whose ARN ends in the name of the queue"
            ),
        ),
        (
            "arn:aws:kinesis:us-east-1:123456789012:clicks",
            (
                '"arn:aws:kinesis:us-east-1:123456789012:clicks" does not name a Kinesis stream, '
                "whose ARN ends in stream/<name>"
            ),
        ),
        (
            "arn:aws:dynamodb:us-east-1:123456789012:table/users",
            (
                '"arn:aws:dynamodb:us-east-1:123456789012:table/users" does not name a DynamoDB stream '
                "(the table's LatestStreamArn), whose ARN ends in table/<table>/stream/<label>"
            ),
        ),
    ],
)
def test_a_wrong_event_source_arn_is_refused_with_what_is_wrong(arn: str, sentence: str) -> None:
    """One sentence says which part is missing or malformed."""
    with pytest.raises(InvalidArn) as refused:
        EventSource.parse(arn)

    assert str(refused.value) == sentence


def test_an_arn_of_another_service_is_not_an_event_source() -> None:
    """A well-formed ARN that is never polled is told apart from a malformed one."""
    with pytest.raises(UnrecognizedEventSource, match="is not an SQS queue, a Kinesis stream or a DynamoDB"):
        EventSource.parse("arn:aws:kafka:us-east-1:123456789012:cluster/a/b")


@pytest.mark.parametrize(
    "text", ["arn:aws:s3:::bucket", "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2024-06-10T19:26"]
)
def test_an_arn_prints_as_it_was_read(text: str) -> None:
    """Parsing loses nothing, neither empty parts nor colons in the resource."""
    assert str(Arn.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "name", "qualifier", "account", "arn"),
    [
        ("audit", "audit", None, None, "arn:aws:lambda:us-east-1:000000000000:function:audit"),
        ("audit:live", "audit", "live", None, "arn:aws:lambda:us-east-1:000000000000:function:audit:live"),
        (
            "audit:$LATEST",
            "audit",
            "$LATEST",
            None,
            "arn:aws:lambda:us-east-1:000000000000:function:audit:$LATEST",
        ),
        ("function:audit", "audit", None, None, "arn:aws:lambda:us-east-1:000000000000:function:audit"),
        (
            "123456789012:function:audit:7",
            "audit",
            "7",
            "123456789012",
            "arn:aws:lambda:us-east-1:123456789012:function:audit:7",
        ),
        (
            "eu-west-1:123456789012:function:audit",
            "audit",
            None,
            "123456789012",
            "arn:aws:lambda:eu-west-1:123456789012:function:audit",
        ),
        (
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:audit",
            "audit",
            None,
            "123456789012",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:audit",
        ),
        (
            "arn:aws:lambda:ddblocal:000000000000:function:audit:$LATEST.PUBLISHED",
            "audit",
            "$LATEST.PUBLISHED",
            "000000000000",
            "arn:aws:lambda:ddblocal:000000000000:function:audit:$LATEST.PUBLISHED",
        ),
    ],
)
def test_every_form_of_a_function_name_is_read_and_completed(
    text: str, name: str, qualifier: str | None, account: str | None, arn: str
) -> None:
    """What the text leaves out is completed; what it says, the qualifier too, is kept."""
    function = FunctionName.parse(text)

    assert (function.name, function.qualifier, function.account) == (name, qualifier, account)
    assert function.is_local == (account is None)
    assert function.arn(region="us-east-1", account="000000000000", partition="aws") == arn


@pytest.mark.parametrize(
    "text",
    ["", "a b", "app.audit:handler", "a:b:c", "x" * 65, "audit:", "https://example.com", "audit\n"],
)
def test_what_is_no_function_name_is_refused(text: str) -> None:
    """A handler, a URL or a name that Lambda would not take is not a function name."""
    with pytest.raises(
        InvalidArn, match="is not a function name: name, name:qualifier, account:function:name or"
    ):
        FunctionName.parse(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("arn:aws:lambda::123456789012:function:f", "names no region"),
        ("arn:aws:lambda:us-east-1::function:f", "names no account"),
        ("arn:aws:lambda:us-east-1:123456789012:layer:f", "is not the ARN of a function"),
        ("arn:aws:sqs:us-east-1:123456789012:function:f", "is not the ARN of a function"),
        ("arn:aws:lambda:us-east-1:function", "is not an ARN"),
    ],
)
def test_a_wrong_function_arn_is_refused_with_what_is_wrong(text: str, sentence: str) -> None:
    """One sentence says which part is missing."""
    with pytest.raises(InvalidArn, match=sentence):
        FunctionName.parse(text)
