"""The least an AWS identity has to be allowed so that these mappings can be polled, as an IAM policy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mappings.arns import Arn, SourceKind
from mappings.functions import Function, LambdaFunction
from mappings.model import EventSourceMapping

VERSION = "2012-10-17"  # of the policy language

# What each kind of source is asked. Batches of SQS are authorized as their single calls.
SOURCE_ACTIONS: Mapping[SourceKind, tuple[str, ...]] = {
    SourceKind.SQS: (
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
    ),
    SourceKind.KINESIS: (
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    ),
    SourceKind.DYNAMODB: ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"),
}
_INVOKE_ACTIONS = ("lambda:InvokeFunction",)
# A function whose timeout no file tells is asked for it.
_ASKED_ACTIONS = ("lambda:GetFunctionConfiguration", *_INVOKE_ACTIONS)
# A consumer's records are pushed.
_FAN_OUT_ACTIONS = ("kinesis:DescribeStreamSummary", "kinesis:ListShards")
_DESTINATION_ACTIONS = {"sqs": ("sqs:GetQueueUrl", "sqs:SendMessage"), "sns": ("sns:Publish",)}
# Transactions are authorized as their single writes. To make the table is left to whoever does so once.
TABLE_ACTIONS = (
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTable:
    """The table a fleet keeps its state in."""

    name: str
    namespace: str
    region: str
    """`*` where it is not known."""


Statement = dict[str, object]


def policy(
    mappings: Sequence[EventSourceMapping], functions: Mapping[str, Function], table: StateTable | None
) -> dict[str, object]:
    """The policy document.

    Args:
        mappings: What is polled.
        functions: What their function names mean; a name that is not listed is a function of AWS Lambda.
        table: Where a fleet keeps its state.
    """
    allowed: dict[tuple[str, ...], set[str]] = {}
    for mapping in mappings:
        for actions, resource in _wanted(mapping, functions.get(mapping.function_name)):
            allowed.setdefault(actions, set()).add(resource)
    statements = [_allow(actions, sorted(resources)) for actions, resources in sorted(allowed.items())]
    if table is not None:
        statements.append(_table_statement(table, mappings))
    return {"Version": VERSION, "Statement": statements}


def _wanted(mapping: EventSourceMapping, function: Function | None) -> Iterator[tuple[tuple[str, ...], str]]:
    source = mapping.event_source
    if source.consumer_arn is not None:
        yield ("kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"), source.consumer_arn
        yield _FAN_OUT_ACTIONS, source.arn.partition("/consumer/")[0]
    else:
        yield SOURCE_ACTIONS[source.kind], source.arn
    if function is None:
        yield _ASKED_ACTIONS, mapping.function_arn
    elif isinstance(function, LambdaFunction):
        home = Arn.parse(mapping.function_arn)
        arn = function.function.arn(region=home.region, account=home.account, partition=home.partition)
        yield _ASKED_ACTIONS if function.timeout is None else _INVOKE_ACTIONS, arn
    if mapping.on_failure_destination:
        yield from _destination(mapping, mapping.on_failure_destination)


def _destination(mapping: EventSourceMapping, arn: str) -> Iterator[tuple[tuple[str, ...], str]]:
    service = Arn.parse(arn).service
    if service in _DESTINATION_ACTIONS:
        yield _DESTINATION_ACTIONS[service], arn
    else:
        yield ("s3:PutObject",), f"{arn}/aws/lambda/{mapping.uuid}/*"
        yield ("s3:ListBucket",), arn  # whether it is there is asked when a mapping is made


def _table_statement(table: StateTable, mappings: Sequence[EventSourceMapping]) -> Statement:
    homes = {(arn.partition, arn.account) for arn in (Arn.parse(m.function_arn) for m in mappings)}
    partition, account = next(iter(homes)) if len(homes) == 1 else ("aws", "*")
    return {
        **_allow(TABLE_ACTIONS, [f"arn:{partition}:dynamodb:{table.region}:{account}:table/{table.name}"]),
        "Condition": {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{table.namespace}/*"]}},
    }


def _allow(actions: Sequence[str], resources: Sequence[str]) -> Statement:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
