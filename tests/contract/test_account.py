"""The account of the credentials, as STS tells it."""

import pytest
from aiohttp import web

from poller.aws import Aws
from tests.contract.stubbing import answering


@pytest.mark.parametrize("body", ['{"invocations":0}', "", "<html></html>", "<GetCallerIdentityResponse/>"])
async def test_a_server_that_knows_no_sts_tells_no_account(
    body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in for AWS may answer anything; a mapping is not kept from its work by that."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async with answering(answer, monkeypatch), Aws() as aws:
        assert await aws.account("eu-west-1") is None
