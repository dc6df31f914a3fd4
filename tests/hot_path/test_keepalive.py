"""Connections that are idle while a function runs."""

import socket

import pytest
from aiohttp import web

from poller.aws import Aws
from poller.keepalive import KEEPALIVE_S
from tests.contract.stubbing import answering


@pytest.mark.parametrize("hot_path", [True, False])
async def test_a_connection_to_lambda_is_kept_alive(
    monkeypatch: pytest.MonkeyPatch, *, hot_path: bool
) -> None:
    """Faults 57: on the hot path and on the SDK's own; a function may say nothing for 90 minutes."""
    made: list[socket.socket] = []
    told = socket.socket.setsockopt

    def noting(opened: socket.socket, level: int, name: int, value: int) -> None:
        if (level, name, value) == (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S):
            made.append(opened)
        told(opened, level, name, value)

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    example = {"FunctionName": "f", "Payload": b"{}"}
    async with answering(answer, monkeypatch), Aws(hot_path=hot_path) as aws:
        monkeypatch.setattr("socket.socket.setsockopt", noting)
        route = await aws.route("lambda", "eu-west-1", "Invoke", example, read_timeout_s=5.0)
        if route is not None:
            await route.send(b"{}", limit_bytes=100)
        else:
            client = await aws.client("lambda", "eu-west-1", read_timeout_s=5.0)
            await client.invoke(**example)

    assert made
