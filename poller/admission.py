"""What sources, functions and destinations say of a mapping that a client asks for, in AWS's words."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore.exceptions import BotoCoreError

from mappings.arns import Arn, EventSource
from mappings.errors import (
    InvalidParameterValueException,
    MappingError,
    ServiceException,
    TooManyRequestsException,
)
from mappings.functions import Function, LambdaFunction
from mappings.model import EventSourceMapping, StartingPosition
from poller.aws import Aws, source_errors
from poller.destinations import make_destination
from poller.errors import (
    DestinationDenied,
    DestinationError,
    DestinationGone,
    DestinationUnauthenticated,
    DestinationUnsuitable,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnauthenticated,
    SourceUnsuitable,
)
from poller.latest import LatestReaders
from poller.sources import SourceParts, make_source
from poller.sources.kinesis_fan_out import check_consumer
from poller.surroundings import Surroundings
from poller.targets.timeouts import FunctionTimeouts

METRICS_OFF = "MetricsConfig needs the ops port, which POLLER_OPS has off"
NO_FUNCTION = "Function does not exist"
NO_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
    "SQS Error Message: The specified queue does not exist."
)
QUEUE_DENIED = "The function execution role does not have permissions to call ReceiveMessage on SQS"
STREAM_DENIED = (
    "Cannot access stream {arn}. Please ensure the role can perform the GetRecords, GetShardIterator, "
    "DescribeStream, and ListStreams Actions on your stream in IAM."
)
_DESTINATION_CALLS = {"sqs": "SendMessage on SQS", "sns": "Publish on SNS", "s3": "PutObject on S3"}


class AwsAdmission:
    """Asks AWS, or what stands in for it, with the poller's own credentials."""

    def __init__(
        self,
        aws: Aws,
        surroundings: Surroundings,
        latest: LatestReaders,
        *,
        timeouts: FunctionTimeouts,
        metrics: bool,
    ) -> None:
        """Ask through a session.

        Args:
            aws: The session.
            surroundings: The process.
            latest: Keeps readers opened at LATEST for who runs the mapping.
            timeouts: Tells how long functions may run.
            metrics: Whether metrics are exported, so that MetricsConfig can be obeyed.
        """
        self._metrics = metrics
        self._aws = aws
        self._surroundings = surroundings
        self._latest = latest
        self._timeouts = timeouts

    def options(self, mapping: EventSourceMapping) -> None:
        """Refuse metrics that nobody could read."""
        if mapping.metrics and not self._metrics:
            raise InvalidParameterValueException(METRICS_OFF, field="MetricsConfig")

    async def function(self, function: Function) -> None:
        """Ask Lambda for a function of its own. What cannot be asked is believed: the poller tells later."""
        if not isinstance(function, LambdaFunction) or function.function.region is None:
            return
        name, region = function.function, function.function.region
        client = await self._aws.client("lambda", region)
        # An account comes with every region.
        arn = name.arn(region=region, account="", partition="aws")
        try:
            with source_errors(name.name):
                await client.invoke(FunctionName=arn, InvocationType="DryRun")
        except SourceGone as error:
            raise InvalidParameterValueException(NO_FUNCTION, field="FunctionName") from error
        except SourceError:
            pass

    async def source(self, mapping: EventSourceMapping, function: Function, *, making: bool) -> float | None:
        """List the source, and open it where reading is to begin at its tip of now."""
        clock = self._surroundings.clock
        timeout_s = await self._timeouts.ask(function, mapping.function_arn)
        parts = SourceParts(aws=self._aws, clock=clock, long_poll_s=0.0, timeout_s=timeout_s)
        source = make_source(mapping, parts)
        at_tip = making and mapping.enabled and mapping.starting_position is StartingPosition.LATEST
        with _refusals(mapping.event_source):
            topology = await source.discover()
            if mapping.event_source.consumer_arn is not None:
                await check_consumer(mapping.event_source, self._aws)
            # A consumer has one subscription at a time for each shard: it is left to whoever reads.
            if at_tip and mapping.event_source.consumer_arn is None:
                await self._latest.open(mapping.uuid, source, topology.shards, self._surroundings.opening)
        return topology.server_time

    async def destination(self, mapping: EventSourceMapping) -> None:
        """Look for the destination, where looking takes no right beyond what sending takes."""
        text = mapping.on_failure_destination
        if text is None:
            return
        service = Arn.parse(text).service
        try:
            await make_destination(text, region=mapping.event_source.region, aws=self._aws).check()
        except (BotoCoreError, aiohttp.ClientError, OSError, ValueError) as error:
            raise ServiceException(
                f"The destination could not be asked: {text}: {type(error).__name__}: {error}"
            ) from error
        except DestinationUnauthenticated as error:
            raise _unauthenticated(str(error)) from error
        except DestinationDenied as error:
            raise _denied(service) from error
        except (DestinationGone, DestinationUnsuitable) as error:
            raise InvalidParameterValueException(
                str(error), field="DestinationConfig.OnFailure.Destination"
            ) from error
        except DestinationError as error:
            raise ServiceException(str(error)) from error


def _denied(service: str) -> InvalidParameterValueException:
    call = _DESTINATION_CALLS[service]
    return InvalidParameterValueException(
        f"The function execution role does not have permissions to call {call}",
        field="DestinationConfig.OnFailure.Destination",
    )


@contextmanager
def _refusals(source: EventSource) -> Iterator[None]:
    """Turn what a source says into what AWS answers."""
    try:
        yield
    except SourceError as error:
        raise _refusal(error, source) from error
    except (BotoCoreError, aiohttp.ClientError, OSError, ValueError) as error:
        raise ServiceException(
            f"The event source could not be asked: {source.arn}: {type(error).__name__}: {error}"
        ) from error


def _refusal(error: SourceError, source: EventSource) -> MappingError:
    stream = source.kind.is_stream
    match error:
        case SourceGone():
            return _invalid(f"Stream not found: {source.arn}" if stream else NO_QUEUE)
        case SourceUnauthenticated():
            return _unauthenticated(str(error))
        case SourceDenied():
            return _invalid(STREAM_DENIED.format(arn=source.arn) if stream else QUEUE_DENIED)
        case SourceUnsuitable():
            return _invalid(str(error))
        case SourceThrottled():
            return TooManyRequestsException("Rate exceeded", retry_after_s=1)
        case _:
            return ServiceException(f"The event source could not be reached: {error}")


def _unauthenticated(what: str) -> ServiceException:
    """No right of the function is missing: whoever runs the poller has to mend its credentials."""
    return ServiceException(f"The poller's own AWS credentials are missing, expired or not valid: {what}")


def _invalid(message: str) -> InvalidParameterValueException:
    return InvalidParameterValueException(message, field="EventSourceArn")
