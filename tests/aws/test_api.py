"""The control plane of a running poller: what clients ask for is polled, changed, stopped and kept."""

import json
import signal
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.control import Cli, endpoint, lambda_client, until_state
from tests.aws.running import Run, repeated, until
from tests.conftest import ACCOUNT, REGION, Moto

FUNCTIONS = {"f": {"handler": "app:keep", "timeout": 10, "concurrency": 4}}
STEADY = {"f": {"handler": "app:steady", "timeout": 10, "concurrency": 4}}


def start(run: Run, functions: dict[str, Any] = FUNCTIONS, *arguments: str) -> Any:
    """Start a poller that has functions and no mapping; a boto3 client of its API."""
    run.api = "127.0.0.1:0"
    run.write_file(functions, [])
    run.start(*arguments)
    return lambda_client(endpoint(run))


def send(moto: Moto, url: str, bodies: list[str]) -> None:
    """Put messages into a queue."""
    client = moto.client("sqs")
    for begin in range(0, len(bodies), 10):
        entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies[begin : begin + 10])]
        assert not client.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def bodies(run: Run) -> list[str]:
    """What the functions were given, in order."""
    return [record["body"] for record in run.records()]


def test_a_mapping_that_is_created_polls_and_one_that_is_deleted_stops(moto: Moto, run: Run) -> None:
    """Creating, Enabled, Deleting, gone; what is sent after that stays in the queue."""
    url, arn = moto.queue()
    client = start(run)

    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f")
    until_state(client, made["UUID"], "Enabled")
    send(moto, url, ["one"])
    until(lambda: bodies(run) == ["one"])
    deleted = client.delete_event_source_mapping(UUID=made["UUID"])
    until_state(client, made["UUID"], None)
    send(moto, url, ["two"])

    assert (made["State"], deleted["State"]) == ("Creating", "Deleting")
    assert made["ResponseMetadata"]["HTTPStatusCode"] == deleted["ResponseMetadata"]["HTTPStatusCode"] == 202
    received = moto.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=2)
    assert [message["Body"] for message in received["Messages"]] == ["two"]
    assert bodies(run) == ["one"]


def test_a_record_written_right_after_the_answer_is_not_passed_over_by_latest(moto: Moto, run: Run) -> None:
    """And what was written before is: LATEST is the moment of the answer."""
    client = start(run)
    kinesis = moto.client("kinesis")
    name, arn = moto.stream(2)
    put = [("before", "a"), ("before", "b")]
    for data, key in put:
        kinesis.put_record(StreamName=name, Data=data.encode(), PartitionKey=key)

    client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", StartingPosition="LATEST")
    for key in "abcd":
        kinesis.put_record(StreamName=name, Data=b"after", PartitionKey=key)

    until(lambda: len(run.records()) >= 4)
    assert {record["kinesis"]["data"] for record in run.records()} == {"YWZ0ZXI="}


def test_mappings_survive_kill_9(moto: Moto, run: Run) -> None:
    """The moment after the answer; with their settings and tags, and they poll again."""
    url, arn = moto.queue()
    client = start(run)
    made = client.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="f", BatchSize=3, Tags={"team": "a"}
    )
    run.processes[-1].send_signal(signal.SIGKILL)
    run.processes[-1].wait(timeout=10)

    run.start()
    again = lambda_client(endpoint(run))
    until_state(again, made["UUID"], "Enabled")
    send(moto, url, ["x"])
    until(lambda: bodies(run) == ["x"])

    shown = again.get_event_source_mapping(UUID=made["UUID"])
    assert (shown["BatchSize"], shown["LastModified"]) == (3, made["LastModified"])
    assert again.list_tags(Resource=made["EventSourceMappingArn"])["Tags"] == {"team": "a"}


def test_updates_and_disabling_under_load_lose_and_repeat_nothing(moto: Moto, run: Run) -> None:
    """A queue and a stream are written to while their mappings are changed, disabled and enabled again."""
    url, queue = moto.queue(VisibilityTimeout="30")
    name, stream = moto.stream(1)
    client = start(run, STEADY)
    uuids = [
        client.create_event_source_mapping(EventSourceArn=queue, FunctionName="f")["UUID"],
        client.create_event_source_mapping(
            EventSourceArn=stream, FunctionName="f", StartingPosition="TRIM_HORIZON", BatchSize=5
        )["UUID"],
    ]
    written = threading.Thread(target=_write, args=(moto, url, name, 150))
    written.start()

    for size in (3, 7, 2, 9):
        for changes in ({"BatchSize": size}, {"Enabled": False}, {"Enabled": True}):
            for uuid in uuids:
                until_state(client, uuid, "Disabled" if changes.get("Enabled") else "Enabled")
                client.update_event_source_mapping(UUID=uuid, **changes)
    written.join()

    until(lambda: len(run.records()) >= 300)
    messages = [record["body"] for record in run.records() if "body" in record]
    records = [record["kinesis"] for record in run.records() if "kinesis" in record]
    assert repeated(messages) == {}
    assert sorted(messages, key=int) == [str(n) for n in range(150)]
    assert [record["partitionKey"] for record in records] == [str(n) for n in range(150)]
    assert {
        record["attributes"]["ApproximateReceiveCount"] for record in run.records() if "body" in record
    } == {"1"}


def _write(moto: Moto, url: str, stream: str, count: int) -> None:
    kinesis = moto.client("kinesis")
    for number in range(count):
        send(moto, url, [str(number)])
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey=str(number))


NO_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
    "SQS Error Message: The specified queue does not exist."
)


@pytest.mark.parametrize(
    ("service", "resource", "message"),
    [
        ("sqs", "missing", NO_QUEUE),
        ("kinesis", "stream/missing", "Stream not found: {arn}"),
        ("dynamodb", "table/missing/stream/2024-06-10T19:26:16.525", "Stream not found: {arn}"),
    ],
)
def test_a_source_that_does_not_exist_is_refused_in_recorded_words(
    run: Run, service: str, resource: str, message: str
) -> None:
    """The sources are really asked."""
    client = start(run)
    arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
    position = {} if service == "sqs" else {"StartingPosition": "LATEST"}

    with pytest.raises(ClientError) as refused:
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", **position)

    assert refused.value.response["Error"] == {
        "Code": "InvalidParameterValueException",
        "Message": message.format(arn=arn),
    }


def test_a_queue_that_shows_messages_too_soon_is_refused_in_recorded_words(moto: Moto, run: Run) -> None:
    """Both numbers are told."""
    _, arn = moto.queue(VisibilityTimeout="5")
    client = start(run)

    with pytest.raises(ClientError) as refused:
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f")

    assert refused.value.response["Error"]["Message"] == (
        "Queue visibility timeout: 5 seconds is less than Function timeout: 10 seconds"
    )


def test_a_destination_that_does_not_exist_is_refused(moto: Moto, run: Run) -> None:
    """Before anything was discarded into it."""
    _, arn = moto.stream(1)
    client = start(run)

    with pytest.raises(ClientError) as refused:
        client.create_event_source_mapping(
            EventSourceArn=arn,
            FunctionName="f",
            StartingPosition="LATEST",
            DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:missing"}},
        )

    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert "missing" in refused.value.response["Error"]["Message"]


def test_boto3_pages_through_a_hundred_at_a_time(moto: Moto, run: Run) -> None:
    """Its paginator sees every mapping once."""
    _, arn = moto.queue()
    names = [f"f{number}" for number in range(105)]
    client = start(run, {name: {"url": "http://127.0.0.1:9/"} for name in names})
    made = [
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName=name, Enabled=False)["UUID"]
        for name in names
    ]

    pages = list(client.get_paginator("list_event_source_mappings").paginate(EventSourceArn=arn))

    assert [len(page["EventSourceMappings"]) for page in pages] == [100, 5]
    assert [each["UUID"] for page in pages for each in page["EventSourceMappings"]] == made


def test_the_aws_cli_does_every_operation(moto: Moto, run: Run) -> None:
    """As on AWS, with AWS_ENDPOINT_URL_LAMBDA alone."""
    _, arn = moto.queue()
    client = start(run)
    cli = Cli(endpoint(run), run.folder)

    created = cli.answer(
        "create-event-source-mapping", "--event-source-arn", arn, "--function-name", "f",
        "--scaling-config", "MaximumConcurrency=5", "--tags", "team=a",
        "--filter-criteria", json.dumps({"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]}),
    )  # fmt: skip
    uuid, mapping = created["UUID"], created["EventSourceMappingArn"]
    until_state(client, uuid, "Enabled")
    updated = cli.answer("update-event-source-mapping", "--uuid", uuid, "--batch-size", "5", "--no-enabled")
    until_state(client, uuid, "Disabled")
    got = cli.answer("get-event-source-mapping", "--uuid", uuid)
    listed = cli.answer("list-event-source-mappings", "--function-name", "f")
    cli.answer("tag-resource", "--resource", mapping, "--tags", "env=b")
    cli.answer("untag-resource", "--resource", mapping, "--tag-keys", "team")
    tags = cli.answer("list-tags", "--resource", mapping)
    function = cli.answer("get-function-configuration", "--function-name", "f")
    whole = cli.answer("get-function", "--function-name", "f")
    deleted = cli.answer("delete-event-source-mapping", "--uuid", uuid)
    until_state(client, uuid, None)
    again = cli.run("get-event-source-mapping", "--uuid", uuid)

    assert (created["State"], updated["State"], got["State"], deleted["State"]) == (
        "Creating", "Disabling", "Disabled", "Deleting",
    )  # fmt: skip
    assert (got["BatchSize"], got["ScalingConfig"]) == (5, {"MaximumConcurrency": 5})
    assert [each["UUID"] for each in listed["EventSourceMappings"]] == [uuid]
    assert tags == {"Tags": {"env": "b"}}
    assert (function["Handler"], function["State"]) == ("app.keep", "Active")
    assert whole["Configuration"] == function
    assert again.returncode != 0
    assert "(ResourceNotFoundException)" in again.stderr
    assert "The resource you requested does not exist." in again.stderr


def test_boto3_and_the_cli_read_every_error(moto: Moto, run: Run) -> None:
    """Code, text and status of each, and the modelled ones as the client's own exceptions."""
    _, arn = moto.queue()
    # One that nobody answers for: for a minute its mapping is Creating.
    functions = {**FUNCTIONS, "absent": {"url": "http://127.0.0.1:9/"}}
    client = start(run, functions, "--profile", "default")
    cli = Cli(endpoint(run), run.folder)
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", Enabled=False)
    busy = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="absent")["UUID"]
    in_use = "event source mapping because it is in use."
    unknown, mapping = "5f0e6a6c-0d5b-4c4b-9a53-2f4f3b0f8a11", made["EventSourceMappingArn"]
    elsewhere = f"{mapping[:-36]}{unknown}"
    exceptions = client.exceptions
    calls: list[tuple[type[Exception], int, str, Any, tuple[str, ...]]] = [
        (
            exceptions.ResourceConflictException, 409, "already exists. Please update or delete the existing",
            lambda: client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f"),
            ("create-event-source-mapping", "--event-source-arn", arn, "--function-name", "f"),
        ),
        (
            exceptions.ResourceInUseException, 400, f"Cannot delete the {in_use}",
            lambda: client.delete_event_source_mapping(UUID=busy),
            ("delete-event-source-mapping", "--uuid", busy),
        ),
        (
            exceptions.ResourceInUseException, 400, f"Cannot update the {in_use}",
            lambda: client.update_event_source_mapping(UUID=busy, BatchSize=5),
            ("update-event-source-mapping", "--uuid", busy, "--batch-size", "5"),
        ),
        (
            exceptions.ResourceNotFoundException, 404, "The resource you requested does not exist.",
            lambda: client.get_event_source_mapping(UUID=unknown),
            ("get-event-source-mapping", "--uuid", unknown),
        ),
        (
            exceptions.ResourceNotFoundException, 404, f"Event source mapping not found: {elsewhere}",
            lambda: client.list_tags(Resource=elsewhere),
            ("list-tags", "--resource", elsewhere),
        ),
        (
            exceptions.ResourceNotFoundException, 404, "Function not found: arn:aws:lambda:us-east-1:",
            lambda: client.get_function(FunctionName="nobody"),
            ("get-function", "--function-name", "nobody"),
        ),
        (
            exceptions.InvalidParameterValueException, 400, "Function does not exist",
            lambda: client.create_event_source_mapping(EventSourceArn=arn, FunctionName="nobody"),
            ("create-event-source-mapping", "--event-source-arn", arn, "--function-name", "nobody"),
        ),
        (
            exceptions.InvalidParameterValueException, 400, "Invalid Marker",
            lambda: client.list_event_source_mappings(Marker="x"),
            ("list-event-source-mappings", "--starting-token", "x"),
        ),
        (
            ClientError, 400, "1 validation error detected: Value '10001' at 'batchSize' failed to satisfy",
            lambda: client.update_event_source_mapping(UUID=unknown, BatchSize=10_001),
            ("update-event-source-mapping", "--uuid", unknown, "--batch-size", "10001"),
        ),
    ]  # fmt: skip

    for kind, status, text, call, _ in calls:
        with pytest.raises(kind) as refused:
            call()
        response = refused.value.response  # type: ignore[attr-defined]
        assert text in response["Error"]["Message"]
        assert response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert response["ResponseMetadata"]["RequestId"]
    for kind, _, text, _, arguments in calls:
        if "--starting-token" in arguments:
            continue  # the CLI reads it as a token of its own
        done = cli.run(*arguments)
        assert done.returncode != 0
        assert text in done.stderr
        assert kind is ClientError or f"({kind.__name__})" in done.stderr
