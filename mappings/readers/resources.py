"""Which names and ARNs the resources of a template have, as far as a template tells before it is deployed."""

from collections.abc import Mapping
from dataclasses import dataclass

FUNCTION_TYPES = frozenset({"AWS::Lambda::Function", "AWS::Serverless::Function"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of resource whose ARN follows from its name.

    `reference` says what `Ref` gives: the name, the ARN, or None for what only a deployment knows.
    """

    name_property: str
    arn: str
    reference: str | None = "name"
    name_attribute: str | None = None
    arn_attribute: str = "Arn"


_TABLE = Kind(name_property="TableName", arn="arn:{partition}:dynamodb:{region}:{account}:table/{name}")
_FUNCTION = Kind(
    name_property="FunctionName", arn="arn:{partition}:lambda:{region}:{account}:function:{name}"
)

KINDS: Mapping[str, Kind] = {
    "AWS::SQS::Queue": Kind(
        name_property="QueueName",
        arn="arn:{partition}:sqs:{region}:{account}:{name}",
        reference=None,  # a URL
        name_attribute="QueueName",
    ),
    "AWS::SNS::Topic": Kind(
        name_property="TopicName",
        arn="arn:{partition}:sns:{region}:{account}:{name}",
        reference="arn",
        name_attribute="TopicName",
        arn_attribute="TopicArn",
    ),
    "AWS::Kinesis::Stream": Kind(
        name_property="Name", arn="arn:{partition}:kinesis:{region}:{account}:stream/{name}"
    ),
    "AWS::S3::Bucket": Kind(name_property="BucketName", arn="arn:{partition}:s3:::{name}"),
    "AWS::DynamoDB::Table": _TABLE,
    "AWS::DynamoDB::GlobalTable": _TABLE,
    **dict.fromkeys(FUNCTION_TYPES, _FUNCTION),
}

# What only a deployment knows, with the reason why no template tells it.
UNKNOWABLE: Mapping[tuple[str, str], str] = {
    (
        "AWS::DynamoDB::Table",
        "StreamArn",
    ): "ends in a label that DynamoDB makes up when the stream is enabled",
    (
        "AWS::DynamoDB::GlobalTable",
        "StreamArn",
    ): "ends in a label that DynamoDB makes up when the stream is enabled",
    ("AWS::SQS::Queue", "Ref"): "is the URL of a queue and no ARN",
    ("AWS::Kinesis::StreamConsumer", "Ref"): "ends in the time at which the consumer is registered",
    ("AWS::Kinesis::StreamConsumer", "ConsumerARN"): "ends in the time at which the consumer is registered",
    ("AWS::Lambda::Version", "Ref"): "ends in a number that Lambda gives when the version is published",
}
