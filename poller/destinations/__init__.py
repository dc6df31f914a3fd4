"""Destinations: where discarded records are told of. The registry: one entry per service."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mappings.arns import Arn
from mappings.errors import InvalidArn
from poller.aws import Aws
from poller.destinations.s3 import S3Destination
from poller.destinations.sns import SnsDestination
from poller.destinations.sqs import SqsDestination
from poller.errors import DestinationUnsuitable

ServiceDestination = SqsDestination | SnsDestination | S3Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What the ARNs of one service name, and the destination that is made of one."""

    resource: re.Pattern[str]
    expected: str
    make: Callable[[Arn, str, Aws], ServiceDestination]


_KINDS: Mapping[str, _Kind] = {
    "sqs": _Kind(
        resource=re.compile(r"[A-Za-z0-9_-]{1,80}"),
        expected="a standard SQS queue",
        make=lambda arn, _, aws: SqsDestination(arn, aws),
    ),
    "sns": _Kind(
        resource=re.compile(r"[A-Za-z0-9_-]{1,256}"),
        expected="a standard SNS topic",
        make=lambda arn, _, aws: SnsDestination(arn, aws),
    ),
    # No prefix, no access point.
    "s3": _Kind(
        resource=re.compile(r"[A-Za-z0-9._-]{1,255}"),
        expected="an S3 bucket",
        make=lambda arn, region, aws: S3Destination(arn.resource, region=region, aws=aws),
    ),
}


def make_destination(text: str, *, region: str, aws: Aws) -> ServiceDestination:
    """The destination an ARN names.

    Args:
        text: ARN of a queue, topic or bucket.
        region: The mapping's region, for what names none itself.
        aws: Session.

    Raises:
        DestinationUnsuitable: It names something else; validation refuses most of that at create.
    """
    try:
        arn = Arn.parse(text)
        if arn.service in {"sqs", "sns"}:
            arn.require("region", "account")
    except InvalidArn as error:
        raise DestinationUnsuitable(str(error)) from error
    kind = _KINDS.get(arn.service)
    expected = "an SQS queue, an SNS topic or an S3 bucket" if kind is None else kind.expected
    if kind is None or not kind.resource.fullmatch(arn.resource):
        raise DestinationUnsuitable(f"An on-failure destination must be {expected}: {text}")
    return kind.make(arn, region, aws)
