"""A state opened by a command that does one thing with it: what cannot be done now is refused."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mappings.errors import StoreError
from mappings.home import DEFAULT_REGION
from poller.aws import Aws
from poller.errors import StateRefused, StateUnavailable
from poller.settings import Settings
from poller.state import State, open_state


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[State]:
    """The state that settings name.

    Raises:
        StateRefused: It cannot be used as it is, or not now.
    """
    try:
        async with Aws() as aws:
            await aws.check(os.environ, settings.region or DEFAULT_REGION)
            async with open_state(settings.state, aws=aws, region=settings.region) as state:
                yield state
    except (StateUnavailable, StoreError) as error:
        raise StateRefused(str(error)) from error
