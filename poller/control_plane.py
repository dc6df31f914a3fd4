"""The Lambda API of this process: which operations it serves, to whom, and on which address."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from mappings.addresses import Address, unsafe_bind
from mappings.api import Handler, LambdaApi
from mappings.auth import Authenticator
from mappings.errors import InvalidSecretFile
from mappings.schemes import make_authenticator
from mappings.server import BODY_LIMIT_BYTES, ApiServer
from poller.errors import StartError
from poller.invoking.request import SYNCHRONOUS_LIMIT_BYTES
from poller.invoking.service import is_invocation
from poller.settings import Settings
from poller.telemetry import Log


@asynccontextmanager
async def serving(settings: Settings, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Serve the API while inside, unless it is switched off.

    Raises:
        StartError: The address cannot be had, or must not be, or a file of secrets cannot be used.
    """
    if settings.api is None:
        yield
        return
    server = ApiServer(
        LambdaApi(handlers),
        _authenticator(settings, settings.api),
        settings.api,
        allowed_hosts=settings.api_hosts,
        body_limit=_body_limit,
        # What limits invocations is the concurrency of functions, and the queue of events.
        metered=lambda method, target: not is_invocation(method, target),
    )
    try:
        await server.start()
    except OSError as error:
        raise StartError(
            f"the API cannot listen on {settings.api} ({error.strerror or error}): "
            "choose another address with --api, or close it with --api off"
        ) from error
    try:
        structlog.get_logger().info(Log.API_LISTENING, address=str(server.address))
        yield
    finally:
        await server.close()


def _body_limit(method: str, target: str) -> int:
    return SYNCHRONOUS_LIMIT_BYTES if is_invocation(method, target) else BODY_LIMIT_BYTES


def _authenticator(settings: Settings, address: Address) -> Authenticator:
    try:
        authenticator = make_authenticator(
            keys_file=settings.api_keys_file, token_file=settings.api_token_file
        )
    except InvalidSecretFile as error:
        raise StartError(str(error)) from error
    problem = unsafe_bind(address.host, authenticator, insecure_no_auth=settings.insecure_no_auth)
    if problem is not None:
        raise StartError(problem)
    return authenticator
