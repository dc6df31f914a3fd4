"""ListEventSourceMappings: filters, order, pages and markers."""

import base64
from typing import Any

import pytest

from tests.api.stage import KINESIS, MAPPINGS, QUEUE, Stage

ELSEWHERE = "arn:aws:lambda:us-east-1:123456789012:function:elsewhere"


async def listed(stage: Stage, **query: Any) -> list[str]:
    """The UUIDs of one page."""
    reply = await stage.call("GET", MAPPINGS, **query)
    assert reply.status == 200, reply
    return [each["UUID"] for each in reply.body["EventSourceMappings"]]


async def many(stage: Stage, count: int) -> list[str]:
    """Make mappings of one queue, one after the other."""
    made = []
    for number in range(count):
        stage.now += 1
        made.append((await stage.create(function=f"{ELSEWHERE}:v{number}")).body["UUID"])
    return made


async def test_an_empty_list_has_no_marker() -> None:
    """Both members as AWS has them."""
    assert (await Stage().call("GET", MAPPINGS)).body == {"EventSourceMappings": []}


async def test_filters_name_exactly_one_source_or_function() -> None:
    """An unqualified name does not name an alias; what does not exist gives an empty list."""
    stage = Stage()
    base = await stage.created(function=ELSEWHERE)
    alias = await stage.created(function=f"{ELSEWHERE}:live")
    stream = await stage.created(KINESIS, "audit")

    assert await listed(stage, EventSourceArn=KINESIS) == [stream]
    assert sorted(await listed(stage, EventSourceArn=QUEUE)) == sorted([base, alias])
    assert await listed(stage, FunctionName="elsewhere") == [base]
    assert await listed(stage, FunctionName="elsewhere:live") == [alias]
    assert await listed(stage, FunctionName=f"{ELSEWHERE}:live", EventSourceArn=QUEUE) == [alias]
    assert await listed(stage, FunctionName="210987654321:function:elsewhere") == []
    assert await listed(stage, FunctionName="nobody") == []


async def test_pages_of_a_hundred_at_most_cover_all_of_them_once() -> None:
    """In order of creation, whatever is asked for; the last page has no marker."""
    stage = Stage()
    made = await many(stage, 230)

    pages: list[list[str]] = []
    marker: dict[str, Any] = {}
    while True:
        reply = await stage.call("GET", MAPPINGS, MaxItems=10_000, **marker)
        pages.append([each["UUID"] for each in reply.body["EventSourceMappings"]])
        if "NextMarker" not in reply.body:
            break
        marker = {"Marker": reply.body["NextMarker"]}

    assert [len(page) for page in pages] == [100, 100, 30]
    assert [uuid for page in pages for uuid in page] == made


async def test_a_page_is_not_moved_by_what_is_deleted_or_made_meanwhile() -> None:
    """The marker tells after which mapping the next page begins."""
    stage = Stage()
    made = await many(stage, 5)
    first = (await stage.call("GET", MAPPINGS, MaxItems=2)).body
    for uuid in made[:2]:
        await stage.settle()
        await stage.call("DELETE", f"{MAPPINGS}/{uuid}")
    await stage.settle()

    assert await listed(stage, Marker=first["NextMarker"]) == made[2:]


# A number that no float holds.
HUGE = base64.urlsafe_b64encode(b"[1" + b"0" * 400 + b', "n", "m"]').decode()


@pytest.mark.parametrize(
    "marker", ["", "x", "bm90aGluZw==", "W10=", "WzEsMl0=", "é", "W251bGwsIm4iLDFd", HUGE]
)
async def test_a_marker_that_is_none_is_refused(marker: str) -> None:
    """400, and no listing."""
    reply = await Stage().call("GET", MAPPINGS, Marker=marker)

    assert (reply.status, reply.code) == (400, "InvalidParameterValueException")


async def test_a_marker_belongs_to_its_filters() -> None:
    """With others it is refused."""
    stage = Stage()
    await many(stage, 3)
    first = (await stage.call("GET", MAPPINGS, MaxItems=1, EventSourceArn=QUEUE)).body

    reply = await stage.call("GET", MAPPINGS, Marker=first["NextMarker"])

    assert reply.code == "InvalidParameterValueException"


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ({"MaxItems": 0}, "maxItems"),
        ({"MaxItems": 10_001}, "maxItems"),
        ({"MaxItems": "many"}, "maxItems"),
        ({"FunctionName": "a b"}, "functionName"),
        ({"EventSourceArn": "orders"}, "eventSourceArn"),
    ],
)
async def test_a_parameter_that_breaks_a_constraint_is_named(query: dict[str, Any], place: str) -> None:
    """ValidationException."""
    reply = await Stage().call("GET", MAPPINGS, **query)

    assert reply.code == "ValidationException"
    assert f"at '{place}'" in reply.message
