"""The ops port of a process that works for real, from its start to its end."""

import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.aws.control import endpoint, lambda_client, until_state
from tests.aws.running import Run, stop, until
from tests.conftest import Moto, unique
from tests.ops.reading import Samples, samples, value, values

ANY_PORT = ("--ops", "127.0.0.1:0")


def _address(run: Run) -> str:
    """Where the process listens; it says so in its log."""
    line = run.logged("ops_listening")[-1]
    return f"http://{line['host']}:{line['port']}"


def _get(url: str) -> tuple[int, str]:
    """Without a proxy."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _mapping(arn: str, **more: Any) -> dict[str, Any]:
    return {"EventSourceArn": arn, "FunctionName": "f", **more}


def test_the_counts_are_those_of_the_messages_and_no_message_shows(moto: Moto, run: Run) -> None:
    """Neither bodies nor receipts, groups or ids (I14); MetricsConfig is what AWS has one ask with."""
    url, arn = moto.queue()
    secret, group_like = unique("secret"), unique("attribute")
    sent = [
        moto.client("sqs").send_message(
            QueueUrl=url,
            MessageBody=f"{secret} {number}",
            MessageAttributes={"a": {"DataType": "String", "StringValue": group_like}},
        )["MessageId"]
        for number in range(5)
    ]
    mapping = _mapping(arn, MetricsConfig={"Metrics": ["EventCount"]})
    run.write_file({"f": {"handler": "app:keep", "timeout": 10}}, [mapping])
    process = run.start(*ANY_PORT)
    address = _address(run)
    until(lambda: len(run.records()) == 5)
    until(lambda: value(samples(_get(f"{address}/metrics")[1]), "esm_deleted_events_total") == 5)

    found = samples(_get(f"{address}/metrics")[1])
    shown = _get(f"{address}/metrics")[1] + _get(f"{address}/status")[1]
    ready = _get(f"{address}/readyz")
    assert stop(process) == 0

    assert value(found, "esm_polled_events_total") == 5
    assert value(found, "esm_invoked_events_total") == 5
    assert value(found, "esm_mapping_state", state="Enabled") == 1
    assert ready == (200, "ok\n")
    receipts = [record["receiptHandle"] for record in run.records()]
    assert not [text for text in (secret, group_like, *sent, *receipts) if text in shown]


def test_a_process_that_drains_is_alive_and_not_ready(moto: Moto, run: Run) -> None:
    """The port answers until the last invocation has ended."""
    url, arn = moto.queue()
    moto.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    run.write_file({"f": {"handler": "app:held", "timeout": 30}}, [_mapping(arn)])
    process = run.start(*ANY_PORT)
    address = _address(run)
    until(lambda: any("begun" in event for event in run.events()))

    process.terminate()
    until(lambda: _get(f"{address}/readyz") == (503, "draining\n"), timeout_s=20)
    alive = _get(f"{address}/livez")
    run.allow()

    assert process.wait(timeout=30) == 0
    assert alive == (200, "ok\n")
    assert len(run.records()) == 1


def test_a_client_cannot_ask_for_metrics_that_nobody_could_read(moto: Moto, run: Run) -> None:
    """Neither when it creates a mapping nor later."""
    _, arn = moto.queue()
    run.api = "127.0.0.1:0"
    run.write_file({"f": {"handler": "app:keep", "timeout": 10}}, [])
    run.start("--ops", "off")
    client = lambda_client(endpoint(run))
    wanted = {"MetricsConfig": {"Metrics": ["EventCount"]}}

    with pytest.raises(client.exceptions.InvalidParameterValueException, match="needs the ops port"):
        client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f", **wanted)
    made = client.create_event_source_mapping(EventSourceArn=arn, FunctionName="f")
    until_state(client, made["UUID"], "Enabled")
    with pytest.raises(client.exceptions.InvalidParameterValueException, match="needs the ops port"):
        client.update_event_source_mapping(UUID=made["UUID"], **wanted)


def test_metrics_of_a_mapping_begin_and_end_with_it(moto: Moto, run: Run) -> None:
    """One that a client makes, disables and deletes."""
    _, arn = moto.queue()
    run.api = "127.0.0.1:0"
    run.write_file({"f": {"handler": "app:keep", "timeout": 10}}, [])
    run.start(*ANY_PORT)
    client, address = lambda_client(endpoint(run)), _address(run)

    def found() -> Samples:
        return samples(_get(f"{address}/metrics")[1])

    made = client.create_event_source_mapping(
        EventSourceArn=arn, FunctionName="f", MetricsConfig={"Metrics": ["EventCount"]}
    )
    until(lambda: values(found(), "esm_mapping_state", state="Enabled") == [1])
    polled = values(found(), "esm_polled_events_total")
    client.update_event_source_mapping(UUID=made["UUID"], Enabled=False)
    until(lambda: values(found(), "esm_mapping_state", state="Disabled") == [1])
    disabled = values(found(), "esm_polled_events_total")
    client.delete_event_source_mapping(UUID=made["UUID"])
    until(lambda: values(found(), "esm_mapping_state") == [])

    assert (polled, disabled) == ([0], [])


def test_metrics_that_nobody_could_read_are_refused(moto: Moto, run: Run) -> None:
    """MetricsConfig is obeyed on the ops port or not accepted."""
    _, arn = moto.queue()
    run.write_file(
        {"f": {"handler": "app:keep", "timeout": 10}},
        [_mapping(arn, MetricsConfig={"Metrics": ["EventCount"]})],
    )

    process = run.start("--ops", "off", ready=False)

    assert process.wait(timeout=30) == 2
    assert "MetricsConfig needs the ops port, which POLLER_OPS has off" in run.log()
