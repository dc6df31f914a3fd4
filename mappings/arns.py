"""How an ARN and a function name read, and which kind of event source an ARN is."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from mappings.errors import InvalidArn, UnrecognizedEventSource, shown

# Wider than the service model in one point: any region is taken; emulators write `elasticmq` or `ddblocal`.
_PARTS = {
    "partition": re.compile(r"aws[a-zA-Z0-9-]*"),
    "service": re.compile(r"[a-zA-Z0-9-]+"),
    "region": re.compile(r"[a-z0-9-]*"),
    "account": re.compile(r"([0-9]{12})?"),
    "resource": re.compile(r"\S+"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arn:
    """The parts of an ARN; region and account are empty where the service has none, as with S3."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split `text`, or raise `InvalidArn` that says which part is missing or malformed."""
        head, *parts = text.split(":", 5)
        if head != "arn" or len(parts) != len(_PARTS):
            raise InvalidArn(
                f"{shown(text)} is not an ARN: arn:partition:service:region:account:resource is expected"
            )
        named = dict(zip(_PARTS, parts, strict=True))
        for part, value in named.items():
            if not _PARTS[part].fullmatch(value):
                wrong = f"its {part} {shown(value)} is malformed" if value else f"it names no {part}"
                raise InvalidArn(f"{shown(text)} is not a valid ARN: {wrong}")
        return cls(**named)

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    def require(self, *parts: str) -> None:
        """Raise `InvalidArn` for the first of `parts` that is empty."""
        for part in parts:
            if not getattr(self, part):
                raise InvalidArn(f"{shown(str(self))} names no {part}")


class SourceKind(StrEnum):
    SQS = "sqs"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"

    @property
    def is_stream(self) -> bool:
        return self is not SourceKind.SQS


_RESOURCES = {
    SourceKind.SQS: re.compile(r"(?P<name>[A-Za-z0-9_-]{1,80}(?P<fifo>\.fifo)?)"),
    SourceKind.KINESIS: re.compile(
        r"stream/(?P<name>[A-Za-z0-9_.-]{1,128})(?P<consumer>/consumer/[A-Za-z0-9_.-]+:[0-9]+)?"
    ),
    SourceKind.DYNAMODB: re.compile(
        r"table/(?P<name>[A-Za-z0-9_.-]{1,255})/stream/(?P<stream_label>[^/\s]+)"
    ),
}
_EXPECTED = {
    SourceKind.SQS: "an SQS queue, whose ARN ends in the name of the queue",
    SourceKind.KINESIS: "a Kinesis stream, whose ARN ends in stream/<name>",
    SourceKind.DYNAMODB: (
        "a DynamoDB stream (the table's LatestStreamArn), whose ARN ends in table/<table>/stream/<label>"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSource:
    """A queue or stream to read, as its ARN names it.

    `name` is the queue, the stream, or the table that the stream belongs to. `consumer_arn` is set when the
    ARN is that of a registered Kinesis consumer; `name` is then its stream.
    """

    kind: SourceKind
    arn: str
    partition: str
    region: str
    account: str
    name: str
    fifo: bool = False
    stream_label: str | None = None
    consumer_arn: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an event source ARN; raise `UnrecognizedEventSource` for a service that is never polled."""
        arn = Arn.parse(text)
        try:
            kind = SourceKind(arn.service)
        except ValueError:
            raise UnrecognizedEventSource(
                f"{shown(text)} is not an SQS queue, a Kinesis stream or a DynamoDB stream"
            ) from None
        arn.require("region", "account")
        resource = _RESOURCES[kind].fullmatch(arn.resource)
        if resource is None:
            raise InvalidArn(f"{shown(text)} does not name {_EXPECTED[kind]}")
        found = resource.groupdict()
        return cls(
            kind=kind,
            arn=text,
            partition=arn.partition,
            region=arn.region,
            account=arn.account,
            name=found["name"],
            fifo=bool(found.get("fifo")),
            stream_label=found.get("stream_label"),
            consumer_arn=text if found.get("consumer") else None,
        )


# Lambda's own names have no dot, though the service model's pattern for this field takes one: refusing it
# catches a handler (`app.audit:handler`) that was written where a function name belongs.
MAXIMUM_FUNCTION_NAME = 64
_NAME = (
    rf"(?P<name>[a-zA-Z0-9_-]{{1,{MAXIMUM_FUNCTION_NAME}}})"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]{1,128}))?"
)
_ARN_RESOURCE = re.compile(rf"function:{_NAME}")
_SHORT_FORM = re.compile(
    rf"(?:(?:(?P<region>[a-z][a-z0-9-]*):)?(?P<account>[0-9]{{12}}):)?(?:function:)?{_NAME}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionName:
    """A FunctionName in any of AWS's forms; the parts that the text leaves out are None."""

    name: str
    qualifier: str | None = None
    region: str | None = None
    account: str | None = None
    partition: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name[:qualifier]`, `function:name`, `account:function:name[:qualifier]` or a Lambda ARN."""
        if text.startswith("arn:"):
            return cls._parse_arn(text)
        found = _SHORT_FORM.fullmatch(text)
        if found is None:
            raise InvalidArn(
                f"{shown(text)} is not a function name: name, name:qualifier, account:function:name or "
                "a Lambda ARN is expected, and a name has up to 64 letters, digits, hyphens and underscores"
            )
        return cls(**found.groupdict())

    @classmethod
    def _parse_arn(cls, text: str) -> Self:
        arn = Arn.parse(text)
        arn.require("region", "account")
        found = _ARN_RESOURCE.fullmatch(arn.resource)
        if arn.service != "lambda" or found is None:
            raise InvalidArn(
                f"{shown(text)} is not the ARN of a function: "
                "arn:partition:lambda:region:account:function:name[:qualifier] is expected"
            )
        return cls(**found.groupdict(), region=arn.region, account=arn.account, partition=arn.partition)

    @property
    def is_local(self) -> bool:
        """Whether the text says nothing about an account, so that a mapping file may define the name."""
        return self.account is None

    @property
    def qualified_name(self) -> str:
        return self.name if self.qualifier is None else f"{self.name}:{self.qualifier}"

    def arn(self, *, region: str, account: str, partition: str) -> str:
        """Return the function's ARN, completed with the given parts where the name itself has none."""
        return str(
            Arn(
                partition=self.partition or partition,
                service="lambda",
                region=self.region or region,
                account=self.account or account,
                resource=f"function:{self.qualified_name}",
            )
        )
