"""Malformed requests of every operation: none is ever the server's fault, and none leaves half a mapping."""

import json

import pytest

from tests.api.malformed import Malformed
from tests.api.stage import CALLER, Stage

REQUESTS = 20_000
PART = 2_500


@pytest.mark.parametrize("part", range(REQUESTS // PART))
async def test_no_request_is_the_servers_fault(part: int) -> None:
    """20,000 in all: below 500, in AWS's shape; and what was accepted can be listed and read."""
    malformed = Malformed(part)
    stage = Stage()
    accepted = 0
    for number in range(PART):
        request = malformed.request()
        answer = await stage.api(request, CALLER)
        assert answer.status < 500, (part, number, request.method, request.target, request.body, answer)
        if answer.status >= 400:
            body = json.loads(answer.body)
            assert answer.headers["x-amzn-ErrorType"]
            assert body.get("message") or body.get("Message")
        else:
            accepted += 1
        if number % 100 == 0:
            await stage.settle()
            malformed.uuids = [each.uuid for each in await stage.store.list()] or malformed.uuids

    listed = await stage.call("GET", "/2015-03-31/event-source-mappings")
    assert listed.status == 200
    for each in listed.body["EventSourceMappings"]:
        assert (await stage.call("GET", f"/2015-03-31/event-source-mappings/{each['UUID']}")).body == each
    assert 0.05 * PART < accepted < 0.6 * PART  # neither all right nor all hopeless
