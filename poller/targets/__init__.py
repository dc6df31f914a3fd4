"""Targets: the ways a function is invoked. The registry: one entry per kind of function."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial

import anyio

from mappings.arns import FunctionName
from mappings.function_options import LATEST
from mappings.functions import Function, HandlerFunction, LambdaFunction, UrlFunction, version_of
from mappings.home import Home
from poller.aws import Aws
from poller.functions.hosted import HostedFunctions, host_of
from poller.interfaces import Target
from poller.targets.handler import HandlerTarget
from poller.targets.http import HttpTarget
from poller.targets.lambda_api import LambdaTarget, address_of
from poller.targets.timeouts import FunctionTimeouts


@asynccontextmanager
async def open_target(
    function: Function, arn: str, *, aws: Aws, hosted: HostedFunctions, timeouts: FunctionTimeouts
) -> AsyncIterator[Target]:
    """The target of a function, ready to be asked, and closed in the end.

    Args:
        function: What the mapping file says of it.
        arn: What the mapping calls it.
        aws: Session.
        hosted: The handlers of this process.
        timeouts: Tells how long functions of AWS Lambda may run.

    Raises:
        StartError: There is no such handler.
    """
    asked = FunctionName.parse(arn)
    version = version_of(function, asked.qualifier) or LATEST
    match function:
        case HandlerFunction():
            async with hosted.hosting(function, arn) as host:
                yield HandlerTarget(host, function_arn=arn, version=version)
            return
        case UrlFunction():
            target: Target = HttpTarget(
                url=function.url,
                timeout_s=function.timeout,
                function_arn=arn,
                version=version,
                slots=hosted.slots(function),
            )
        case LambdaFunction():
            name, region = address_of(function, arn)
            target = LambdaTarget(
                aws, function=name, region=region, timeout_s=partial(timeouts.ask, function, arn)
            )
    try:
        yield target
    finally:
        await target.close()


async def check_functions(functions: Iterable[Function], environment: Mapping[str, str]) -> None:
    """Import every handler and let go of it again. Raises StartError for the first that cannot be."""
    for function in functions:
        if isinstance(function, HandlerFunction):
            host = host_of(function, default_arn(function, Home()), environment)
            try:
                await host.start()
            finally:
                with anyio.CancelScope(shield=True):
                    await host.close()


def default_arn(function: Function, home: Home) -> str:
    """What a listed function is called where no mapping or caller says more than its name."""
    return home.arn(FunctionName.parse(function.name))
