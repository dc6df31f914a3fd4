"""How long a function of AWS Lambda may run of which no file says it: Lambda is asked, seldom."""

from dataclasses import dataclass, field

import aiohttp
import anyio
import structlog
from botocore.exceptions import BotoCoreError, ClientError

from mappings.functions import Function, LambdaFunction
from poller.aws import Aws, error_code
from poller.interfaces import Clock
from poller.targets.lambda_api import address_of
from poller.telemetry import Log

# Who may not ask will not be allowed a moment later either.
ASK_AGAIN_S = 600.0


@dataclass(slots=True, eq=False)
class _Told:
    """What Lambda said of one function."""

    timeout_s: float | None = None
    failed_at: float | None = None
    asking: anyio.Lock = field(default_factory=anyio.Lock)


class FunctionTimeouts:
    """The timeouts of functions, for all who wait for them in one process."""

    def __init__(self, aws: Aws, clock: Clock) -> None:
        self._aws = aws
        self._clock = clock
        self._told: dict[tuple[str, str], _Told] = {}

    async def ask(self, function: Function, arn: str) -> float | None:
        """The timeout of a function in seconds, None where neither a file nor Lambda tells.

        Args:
            function: As a file lists it, or a client names it.
            arn: What its mapping calls it.
        """
        if not isinstance(function, LambdaFunction) or function.timeout is not None:
            return function.timeout
        address = address_of(function, arn)
        told = self._told.setdefault(address, _Told())
        if told.timeout_s is None and self._due(told):  # every invocation comes here: no lock without need
            async with told.asking:
                if told.timeout_s is None and self._due(told):
                    await self._ask(address, told)
        return told.timeout_s

    def known(self, function: Function, arn: str) -> float | None:
        """The same, of what is known already."""
        if not isinstance(function, LambdaFunction) or function.timeout is not None:
            return function.timeout
        told = self._told.get(address_of(function, arn))
        return None if told is None else told.timeout_s

    def _due(self, told: _Told) -> bool:
        return told.failed_at is None or self._clock.monotonic() - told.failed_at >= ASK_AGAIN_S

    async def _ask(self, address: tuple[str, str], told: _Told) -> None:
        name, region = address
        try:
            client = await self._aws.client("lambda", region)
            answer = await client.get_function_configuration(FunctionName=name)
            told.timeout_s = float(answer["Timeout"])
        except ClientError as error:
            reason = error_code(error)
        except (BotoCoreError, aiohttp.ClientError, OSError, KeyError, TypeError, ValueError) as error:
            reason = type(error).__name__
        else:
            return
        told.failed_at = self._clock.monotonic()
        structlog.get_logger().warning(Log.TIMEOUT_UNKNOWN, function=name, region=region, reason=reason)
