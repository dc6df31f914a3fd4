"""The two ways to AWS, which must be one to whoever is behind the seams; and a table for each test."""

from collections.abc import AsyncIterator

import pytest

from mappings.stores.dynamodb_table import Table
from poller.aws import Aws
from tests.contract.stores import fleet_table


@pytest.fixture(params=[True, False], ids=["hot path", "SDK"])
def hot_path(request: pytest.FixtureRequest) -> bool:
    """Whether hot calls go past the SDK's own pipeline."""
    assert isinstance(request.param, bool)
    return request.param


@pytest.fixture
async def aws(dynamodb: object) -> AsyncIterator[Aws]:
    """Clients of DynamoDB Local."""
    async with Aws() as made:
        yield made


@pytest.fixture
async def table(aws: Aws) -> Table:
    """An empty namespace."""
    return await fleet_table(aws)
