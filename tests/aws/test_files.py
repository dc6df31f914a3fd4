"""Mapping files beside the API, in a running poller: shown, marked, changed on the disk only."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.aws.control import endpoint, lambda_client
from tests.aws.running import Run, until
from tests.aws.test_api import bodies, send
from tests.conftest import Moto

HANDLER = {"handler": "app:keep", "timeout": 10}


def test_a_mapping_of_a_file_is_shown_and_marked_and_cannot_be_changed_by_the_api(
    moto: Moto, run: Run
) -> None:
    """One sentence says where it can; nor can a second one be made."""
    _, arn = moto.queue()
    run.api = "127.0.0.1:0"
    run.write_file({"f": HANDLER}, [{"EventSourceArn": arn, "FunctionName": "f", "Tags": {"team": "a"}}])
    run.start()
    client = lambda_client(endpoint(run))
    (shown,) = _listed(client)
    refusals = []
    calls: list[Callable[[], Any]] = [
        lambda: client.update_event_source_mapping(UUID=shown["UUID"], BatchSize=5),
        lambda: client.delete_event_source_mapping(UUID=shown["UUID"]),
        lambda: client.tag_resource(Resource=shown["EventSourceMappingArn"], Tags={"x": "y"}),
        lambda: client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f"),
    ]
    for call in calls:
        with pytest.raises(ClientError) as refused:
            call()
        refusals.append(refused.value.response["Error"])

    assert shown["State"] == "Enabled"
    tags = client.list_tags(Resource=shown["EventSourceMappingArn"])["Tags"]
    assert tags == {"team": "a", "poller:file": str(run.file)}
    assert [error["Code"] for error in refusals] == [
        "InvalidParameterValueException", "InvalidParameterValueException", "InvalidParameterValueException",
        "ResourceConflictException",
    ]  # fmt: skip
    assert all(str(run.file) in error["Message"] for error in refusals[:3])


def test_a_changed_file_is_taken_up_without_a_restart(moto: Moto, run: Run) -> None:
    """Another batch size, another mapping, another function; what did not change goes on."""
    (url, arn), (other_url, other) = moto.queue(), moto.queue()
    run.api = "127.0.0.1:0"
    run.write_file({"f": HANDLER}, [{"EventSourceArn": arn, "FunctionName": "f"}])
    run.start()
    client = lambda_client(endpoint(run))
    send(moto, url, ["before"])
    until(lambda: bodies(run) == ["before"])

    (run.folder / "later.py").write_text(
        "import app\ndef handler(event, context):\n    for r in event['Records']: r['body'] += '!'\n"
        "    app.keep(event, context)\n"
    )
    run.write_file(
        {"f": HANDLER, "g": {"handler": "later:handler", "timeout": 10}},
        [
            {"EventSourceArn": arn, "FunctionName": "f", "BatchSize": 1},
            {"EventSourceArn": other, "FunctionName": "g"},
        ],
    )
    until(
        lambda: [(m["State"], m["BatchSize"]) for m in _listed(client)] == [("Enabled", 1), ("Enabled", 10)]
    )
    send(moto, other_url, ["of the other"])
    send(moto, url, ["a", "b", "c"])
    until(lambda: len(bodies(run)) == 5)

    assert sorted(bodies(run)) == ["a", "b", "before", "c", "of the other!"]
    assert {len(batch) for batch in run.batches()} == {1}


def test_a_file_that_became_wrong_leaves_the_old_state_and_says_why(moto: Moto, run: Run) -> None:
    """A handler that cannot be imported, a mapping that breaks a rule; then it is mended."""
    url, arn = moto.queue()
    mapping = {"EventSourceArn": arn, "FunctionName": "f"}
    run.write_file({"f": HANDLER}, [mapping])
    process = run.start()
    for functions, mappings, said in (
        ({"f": {"handler": "nowhere:handler", "timeout": 10}}, [mapping], "nowhere"),
        ({"f": HANDLER}, [{**mapping, "BatchSize": 11}], "Maximum batch window"),
        ({"f": HANDLER}, [], "--allow-removal"),
    ):
        run.write_file(functions, mappings)
        until(lambda said=said: any(said in str(line["problems"]) for line in run.logged("files_refused")))  # type: ignore[misc]
    send(moto, url, ["still"])
    until(lambda: bodies(run) == ["still"])

    assert process.poll() is None


def test_a_config_map_is_picked_up_and_most_mappings_go_when_that_is_allowed(moto: Moto, run: Run) -> None:
    """The directory is mounted as Kubernetes does it."""
    (url, arn), (_, other) = moto.queue(), moto.queue()
    mount = run.folder / "config"
    _mount(mount, "..1", {"mappings": [], "functions": {"f": HANDLER}})
    run.files = (mount,)
    run.api = "127.0.0.1:0"
    run.start("--allow-removal")
    client = lambda_client(endpoint(run))
    both = [{"EventSourceArn": each, "FunctionName": "f"} for each in (arn, other)]

    _mount(mount, "..2", {"mappings": both, "functions": {"f": HANDLER}})
    until(lambda: len(_listed(client)) == 2)
    send(moto, url, ["x"])
    until(lambda: bodies(run) == ["x"])
    _mount(mount, "..3", {"mappings": [], "functions": {"f": HANDLER}})
    until(lambda: _listed(client) == [])

    assert run.logged("files_refused") == []


def _listed(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.list_event_source_mappings()["EventSourceMappings"]
    return found


def _mount(mount: Path, version: str, document: dict[str, object]) -> None:
    """Put a version of a ConfigMap in place by moving one link."""
    (mount / version).mkdir(parents=True)
    (mount / version / "mappings.yaml").write_text(yaml.safe_dump(document))
    (mount / "..aside").symlink_to(version)
    (mount / "..aside").rename(mount / "..data")
    if not (mount / "mappings.yaml").is_symlink():
        (mount / "mappings.yaml").symlink_to("..data/mappings.yaml")
