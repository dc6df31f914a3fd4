"""Targets: the ways a function is invoked. The registry: one entry per kind of function."""

from collections.abc import Iterable, Mapping

from mappings.arns import Arn, FunctionName
from mappings.functions import Function, HandlerFunction, LambdaFunction, UrlFunction
from poller.aws import Aws
from poller.functions.definition import FunctionDefinition
from poller.functions.host import FunctionHost
from poller.interfaces import Target
from poller.targets.handler import HandlerTarget
from poller.targets.http import HttpTarget
from poller.targets.lambda_api import LambdaTarget


async def make_target(function: Function, arn: str, aws: Aws, environment: Mapping[str, str]) -> Target:
    """The target of a function, ready to be asked.

    Args:
        function: What the mapping file says of it.
        arn: What the mapping calls it.
        aws: Session.
        environment: What a hosted handler inherits.

    Raises:
        StartError: A handler cannot be imported.
    """
    match function:
        case HandlerFunction():
            return await _host(function, arn, environment)
        case UrlFunction():
            return HttpTarget(url=function.url, timeout_s=function.timeout)
        case LambdaFunction():
            return _lambda_target(function.function, Arn.parse(arn), aws, function.timeout)


async def check_functions(functions: Iterable[Function], environment: Mapping[str, str]) -> None:
    """Import every handler and let go of it again. Raises StartError for the first that cannot be."""
    for function in functions:
        if isinstance(function, HandlerFunction):
            arn = FunctionName.parse(function.name).arn(
                region="us-east-1", account="000000000000", partition="aws"
            )
            target = await _host(function, arn, environment)
            await target.close()


async def _host(function: HandlerFunction, arn: str, environment: Mapping[str, str]) -> HandlerTarget:
    definition = FunctionDefinition(
        name=function.name,
        handler=function.handler,
        arn=arn,
        environment=environment,
        timeout_s=function.timeout,
    )
    host = FunctionHost(definition, concurrency=function.concurrency)
    try:
        await host.start()
    except BaseException:
        await host.close()
        raise
    return HandlerTarget(host)


def _lambda_target(name: FunctionName, asked: Arn, aws: Aws, timeout_s: float) -> LambdaTarget:
    """A bare name is looked up in the caller's account and the region of the event source."""
    region = name.region or asked.region
    whole = name.arn(region=region, account=asked.account, partition=asked.partition)
    function = name.qualified_name if name.is_local else whole
    return LambdaTarget(aws, function=function, region=region, timeout_s=timeout_s)
