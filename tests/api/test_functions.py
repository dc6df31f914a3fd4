"""GetFunction and GetFunctionConfiguration of listed functions, and paths that name no operation."""

import sys

import pytest

from mappings.constraints import request_violations
from tests.api.stage import Stage

FUNCTIONS = "/2015-03-31/functions"


@pytest.mark.parametrize("name", ["audit", "audit:$LATEST", "function:audit", "000000000000:function:audit"])
async def test_a_listed_function_is_active(name: str) -> None:
    """With its handler and timeout; the region is the poller's, whoever asks."""
    reply = await Stage().call("GET", f"{FUNCTIONS}/{name}/configuration")

    assert reply.status == 200
    shown = {
        member: reply.body[member] for member in ("FunctionName", "Handler", "Timeout", "State", "Version")
    }
    assert shown == {
        "FunctionName": "audit",
        "Handler": "app.handler",
        "Timeout": 7,
        "State": "Active",
        "Version": "$LATEST",
    }
    assert reply.body["FunctionArn"].startswith("arn:aws:lambda:us-east-1:000000000000:function:audit")
    assert reply.body["Runtime"] == f"python3.{sys.version_info.minor}"


async def test_the_configuration_keeps_the_service_model() -> None:
    """Every member is one of the model, of its type and pattern."""
    stage = Stage()
    for name in ("audit", "resize"):
        body = (await stage.call("GET", f"{FUNCTIONS}/{name}")).body
        violations = request_violations(body["Configuration"], "FunctionConfiguration")
        assert [v for v in violations if v.field != "Role"] == []


async def test_a_function_of_another_region_is_not_reachable() -> None:
    """In AWS's words; one of another account is not found."""
    named = "arn:aws:lambda:{}:{}:function:audit".format
    elsewhere = await Stage().call("GET", f"{FUNCTIONS}/{named('eu-west-1', '000000000000')}")
    other = await Stage().call("GET", f"{FUNCTIONS}/{named('us-east-1', '123456789012')}")

    assert elsewhere.message == "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
    assert (other.status, other.code) == (404, "ResourceNotFoundException")


@pytest.mark.parametrize("path", ["nobody", "audit:3", "audit?Qualifier=live"])
async def test_what_is_not_listed_is_not_found(path: str) -> None:
    """404, naming it by its ARN."""
    reply = await Stage().call("GET", f"{FUNCTIONS}/{path}")

    assert (reply.status, reply.code) == (404, "ResourceNotFoundException")
    assert "Function not found: arn:aws:lambda:us-east-1:000000000000:function:" in reply.message


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/2015-03-31"),
        ("PATCH", "/2015-03-31/event-source-mappings"),
        ("POST", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/event-source-mappings/a/b"),
        ("GET", "//2015-03-31/event-source-mappings"),
    ],
)
async def test_an_operation_that_is_not_served_is_unknown(method: str, path: str) -> None:
    """404 in AWS's shape."""
    reply = await Stage().call(method, path)

    assert (reply.status, reply.code) == (404, "UnknownOperationException")
