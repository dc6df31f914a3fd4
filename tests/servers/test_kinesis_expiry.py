"""What takes minutes on kinesis-mock: its iterators expire after five, and nothing makes it hurry."""

import signal
import time

import pytest

from tests.aws.running import Run, stop
from tests.servers.kinesis_mock import KinesisMock
from tests.servers.requirements import slow
from tests.servers.seen import assert_keys_in_order, handler, mapping, numbers, until_seen

EXPIRY_S = 300


@slow
@pytest.mark.timeout(EXPIRY_S + 60)
def test_a_process_that_slept_past_its_iterators_goes_on_after_the_last_record(
    kinesis_server: KinesisMock, kinesis_run: Run
) -> None:
    """A suspended machine: nothing is lost, nothing comes twice, though StartingPosition is the horizon."""
    stream = kinesis_server.stream(2)
    stream.put(range(50))
    kinesis_run.write_file({"f": handler("keep")}, [mapping(stream.arn)])
    process = kinesis_run.start()
    until_seen(kinesis_run, 50)

    process.send_signal(signal.SIGSTOP)
    stream.put(range(50, 100))
    time.sleep(EXPIRY_S + 10)
    process.send_signal(signal.SIGCONT)
    until_seen(kinesis_run, 100)
    assert stop(process) == 0

    assert sorted(numbers(kinesis_run)) == list(range(100))
    assert_keys_in_order(kinesis_run.records())
