"""SQS, from the queue to the function, in a process of its own against moto's server."""

import json
import time
from typing import Any

from tests.aws.running import Run, repeated, stop, until
from tests.conftest import Moto, unique


def _mapping(arn: str, function: str = "f", **more: Any) -> dict[str, Any]:
    return {"EventSourceArn": arn, "FunctionName": function, **more}


def _handler(name: str, **more: Any) -> dict[str, Any]:
    return {"handler": f"app:{name}", "timeout": 10, "concurrency": 4, **more}


def _send(moto: Moto, url: str, bodies: list[str]) -> None:
    client = moto.client("sqs")
    for begin in range(0, len(bodies), 10):
        entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies[begin : begin + 10])]
        assert not client.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def _left(moto: Moto, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = moto.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(attributes["Attributes"][name]) for name in names)


def test_every_message_is_handled_once_and_deleted(moto: Moto, run: Run) -> None:
    """200 messages, batches of up to 10, nothing left and nothing twice."""
    url, arn = moto.queue()
    _send(moto, url, [f"body {n}" for n in range(200)])
    run.write_file({"f": _handler("keep")}, [_mapping(arn, BatchSize=10)])
    process = run.start()

    until(lambda: len(run.records()) >= 200 and _left(moto, url) == 0)
    code = stop(process)

    assert code == 0
    assert sorted(r["body"] for r in run.records()) == sorted(f"body {n}" for n in range(200))
    assert repeated([r["messageId"] for r in run.records()]) == {}
    assert max(len(batch) for batch in run.batches()) <= 10


def test_the_handler_receives_the_body_that_was_sent_to_the_byte(moto: Moto, run: Run) -> None:
    """Blanks, escapes, number texts and other scripts stay as they are, and attributes come along."""
    url, arn = moto.queue()
    bodies = [
        '{"a":  1.0,\t"b": 1e3, "c": "\\u00e9"}',
        "plain text, no JSON",
        '"quoted \\" text"',
        "é漢字🙂 \n second line",
        " [1, 2 ,3] ",
    ]
    client = moto.client("sqs")
    for body in bodies:
        client.send_message(
            QueueUrl=url,
            MessageBody=body,
            MessageAttributes={
                "text": {"DataType": "String", "StringValue": "v é"},
                "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        )
    run.write_file({"f": _handler("keep")}, [_mapping(arn)])
    process = run.start()

    until(lambda: len(run.records()) >= len(bodies))
    stop(process)

    assert sorted(r["body"] for r in run.records()) == sorted(bodies)
    record = run.records()[0]
    assert list(record) == [
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfMessageAttributes",
        "md5OfBody", "eventSource", "eventSourceARN", "awsRegion",
    ]  # fmt: skip
    assert record["messageAttributes"] == {
        "text": {"stringValue": "v é", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "raw": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == (
        "aws:sqs", arn, "us-east-1",
    )  # fmt: skip
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert all(isinstance(value, str) for value in record["attributes"].values())


def test_no_payload_key_or_receipt_is_ever_logged(moto: Moto, run: Run) -> None:
    """At debug level, with a handler that fails and a message that is filtered out."""
    url, arn = moto.queue(VisibilityTimeout="2")
    client = moto.client("sqs")
    attribute = {"CANARY-name": {"DataType": "String", "StringValue": "CANARY-value"}}
    client.send_message(QueueUrl=url, MessageBody='{"keep": "CANARY-body"}', MessageAttributes=attribute)
    client.send_message(QueueUrl=url, MessageBody="CANARY-filtered")
    run.write_file(
        {"f": _handler("fail", timeout=1)},
        [_mapping(arn, FilterCriteria={"Filters": [{"Pattern": '{"body":{"keep":[{"exists":true}]}}'}]})],
    )
    process = run.start()

    until(lambda: len(run.records()) >= 2)
    stop(process)

    assert "batch_failed" in run.log()
    assert "CANARY" not in run.log()
    assert run.records()[0]["receiptHandle"] not in run.log()


def test_a_failing_handler_leaves_messages_to_their_visibility_timeout(moto: Moto, run: Run) -> None:
    """They come again no sooner than the queue says, and are not deleted."""
    url, arn = moto.queue(VisibilityTimeout="3")
    _send(moto, url, ["poison"])
    run.write_file({"f": _handler("fail", timeout=2)}, [_mapping(arn)])
    process = run.start()

    until(lambda: len(run.records()) >= 2)
    seen_again_at = time.time()
    stop(process)

    # By the queue's own clock: how long the first one took to get here is no matter.
    received_at = int(run.records()[0]["attributes"]["ApproximateFirstReceiveTimestamp"]) / 1000

    counts = [r["attributes"]["ApproximateReceiveCount"] for r in run.records()[:2]]
    assert counts == ["1", "2"]
    assert 2.9 < seen_again_at - received_at < 15
    assert _left(moto, url) == 1


def test_a_message_that_always_fails_reaches_the_dead_letter_queue(moto: Moto, run: Run) -> None:
    """The queue's own redrive decides; the poller only leaves the message alone."""
    dead_url, dead_arn = moto.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    # The handler must note the message before its timeout, also while the machine is busy with others.
    url, arn = moto.queue(VisibilityTimeout="3", RedrivePolicy=redrive)
    _send(moto, url, ["poison"])
    run.write_file({"f": _handler("fail", timeout=3)}, [_mapping(arn)])
    process = run.start()

    until(lambda: _left(moto, dead_url) == 1)
    stop(process)

    assert len(run.records()) == 2


def test_reported_items_stay_in_the_queue_and_the_others_go(moto: Moto, run: Run) -> None:
    """ReportBatchItemFailures through the real runtime."""
    (run.folder / "partial.py").write_text(
        "import app\n"
        "def handler(event, context):\n"
        "    app.keep(event, context)\n"
        "    bad = [r['messageId'] for r in event['Records'] if r['body'] == 'bad']\n"
        "    return {'batchItemFailures': [{'itemIdentifier': i} for i in bad]}\n"
    )
    url, arn = moto.queue(VisibilityTimeout="60")
    _send(moto, url, ["good", "bad", "good"])
    run.write_file(
        {"f": {"handler": "partial:handler", "timeout": 10}},
        [_mapping(arn, FunctionResponseTypes=["ReportBatchItemFailures"])],
    )
    process = run.start()

    until(lambda: len(run.records()) >= 3 and _left(moto, url) == 1)
    stop(process)

    assert _left(moto, url) == 1


def test_sigterm_during_an_invocation_lets_it_finish_and_deletes_its_messages(moto: Moto, run: Run) -> None:
    """Nothing is cut, nothing is repeated, exit code 0; what was not started is visible at once."""
    url, arn = moto.queue(VisibilityTimeout="60")
    _send(moto, url, [f"b{n}" for n in range(4)])
    run.write_file({"f": _handler("slow")}, [_mapping(arn, BatchSize=1)])
    process = run.start()
    until(lambda: any("begun" in event for event in run.events()))

    code = stop(process)

    begun = {event["begun"] for event in run.events() if "begun" in event}
    finished = {event["id"] for event in run.events() if event["records"]}
    assert code == 0
    assert begun == finished
    until(lambda: _left(moto, url) == 4 - len(finished))
    received = moto.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    assert len(received.get("Messages", [])) == 4 - len(finished)


def test_a_window_gathers_messages_into_one_batch(moto: Moto, run: Run) -> None:
    """Messages of several receives arrive together once the window ends."""
    url, arn = moto.queue()
    run.write_file({"f": _handler("keep")}, [_mapping(arn, BatchSize=100, MaximumBatchingWindowInSeconds=2)])
    process = run.start()
    _send(moto, url, [f"b{n}" for n in range(40)])

    until(lambda: len(run.records()) >= 40 and _left(moto, url) == 0)
    stop(process)

    # Five pollers share the queue, so at most five batches; without a window there would be many more.
    assert len(run.batches()) <= 5
    assert repeated([r["messageId"] for r in run.records()]) == {}
    assert run.records()[0]["md5OfMessageAttributes"] is None


def test_a_queue_that_does_not_exist_stops_no_other_mapping_and_is_picked_up_later(
    moto: Moto, run: Run
) -> None:
    """Its mapping says what is wrong and asks again."""
    url, arn = moto.queue()
    name = unique("later")
    missing = arn.rsplit(":", 1)[0] + f":{name}"
    _send(moto, url, ["x"])
    run.write_file({"f": _handler("keep")}, [_mapping(missing), _mapping(arn)])
    process = run.start(ready=False)

    until(lambda: len(run.records()) == 1)
    until(lambda: "mapping_problem" in run.log())
    assert name in run.log()
    later_url = moto.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    _send(moto, later_url, ["y"])
    line = run.wait_ready(process)
    until(lambda: len(run.records()) == 2)

    assert line == "ready mappings=2\n"
    assert stop(process) == 0
