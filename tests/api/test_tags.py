"""TagResource, UntagResource and ListTags."""

from urllib.parse import quote

import pytest

from tests.api.stage import MAPPINGS, Stage

TAGS = "/2017-03-31/tags"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:audit"


def path_of(arn: str) -> str:
    """The path of the tags of a resource, whose ARN is encoded."""
    return f"{TAGS}/{quote(arn, safe='')}"


async def test_tags_of_a_create_stand_beside_the_mapping() -> None:
    """ListTags shows them, the mapping does not."""
    stage = Stage()
    uuid = await stage.created(Tags={"team": "é", "empty": ""})

    assert (await stage.call("GET", await stage.tag_path(uuid))).body == {"Tags": {"team": "é", "empty": ""}}
    assert "Tags" not in (await stage.call("GET", f"{MAPPINGS}/{uuid}")).body


async def test_tags_are_set_over_those_that_are_there_and_taken_away_by_key() -> None:
    """204 without a body; a key that is not there is no error."""
    stage = Stage()
    path = await stage.tag_path(await stage.created(Tags={"a": "1", "b": "2"}))

    tagged = await stage.call("POST", path, {"Tags": {"b": "3", "c": "4"}})
    untagged = await stage.call("DELETE", path, tagKeys=["a", "nobody"])

    assert (tagged.status, tagged.body, untagged.status, untagged.body) == (204, None, 204, None)
    assert (await stage.call("GET", path)).body == {"Tags": {"b": "3", "c": "4"}}


async def test_a_mapping_that_does_not_exist_is_not_found() -> None:
    """404, naming its ARN; also under another region or account."""
    stage = Stage()
    uuid = await stage.created()
    unknown = (
        "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11"
    )
    elsewhere = f"arn:aws:lambda:eu-west-1:123456789012:event-source-mapping:{uuid}"

    for arn in (unknown, elsewhere):
        for reply in (
            await stage.call("GET", path_of(arn)),
            await stage.call("POST", path_of(arn), {"Tags": {"a": "b"}}),
            await stage.call("DELETE", path_of(arn), tagKeys=["a"]),
        ):
            assert (reply.status, reply.code) == (404, "ResourceNotFoundException")
            assert reply.body == {"Type": "User", "Message": f"Event source mapping not found: {arn}"}


async def test_no_more_than_fifty_tags() -> None:
    """Counted after merging; nothing is set."""
    stage = Stage()
    path = await stage.tag_path(await stage.created(Tags={f"k{n}": "v" for n in range(50)}))

    over = await stage.call("POST", path, {"Tags": {"one more": "v"}})
    same = await stage.call("POST", path, {"Tags": {"k0": "other"}})

    assert over.message == "Number of tags exceeds resource tag limit."
    assert (over.code, same.status) == ("InvalidParameterValueException", 204)


async def test_setting_no_tags_is_refused_in_recorded_words() -> None:
    """An empty map."""
    stage = Stage()
    reply = await stage.call("POST", await stage.tag_path(await stage.created()), {"Tags": {}})

    assert (reply.code, reply.message) == (
        "InvalidParameterValueException",
        "An error occurred and the request cannot be processed.",
    )


async def test_taking_no_tags_away_is_refused_in_recorded_words() -> None:
    """An empty list is none in a query."""
    stage = Stage()
    reply = await stage.call("DELETE", await stage.tag_path(await stage.created()))

    text = "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null"
    assert (reply.code, reply.message) == ("ValidationException", f"1 validation error detected: {text}")


@pytest.mark.parametrize("key", ["aws:x", "poller:file"])
async def test_reserved_keys_are_refused(key: str) -> None:
    """AWS's, and the one by which a mapping of a file is marked."""
    stage = Stage()
    reply = await stage.call("POST", await stage.tag_path(await stage.created()), {"Tags": {key: "v"}})

    assert reply.code == "InvalidParameterValueException"
    assert key in reply.message


async def test_a_function_has_no_tags_and_takes_none() -> None:
    """A listed one lists none; what is not listed is not found; versions are refused in recorded words."""
    stage = Stage()

    assert (await stage.call("GET", path_of(FUNCTION))).body == {"Tags": {}}
    assert (await stage.call("POST", path_of(FUNCTION), {"Tags": {"a": "b"}})).status == 400
    assert (await stage.call("GET", path_of(f"{FUNCTION}x"))).status == 404
    assert (await stage.call("GET", path_of(f"{FUNCTION}:3"))).message == (
        "Tags on function aliases and versions are not supported. Please specify a function ARN."
    )


async def test_what_is_no_arn_is_refused() -> None:
    """ValidationException."""
    assert (await Stage().call("GET", f"{TAGS}/nothing")).code == "ValidationException"
