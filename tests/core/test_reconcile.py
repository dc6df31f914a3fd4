"""What is done so that what runs is what is wanted: every case of one mapping, and of one that is gone."""

from dataclasses import replace

import pytest

from mappings.functions import Function, UrlFunction
from mappings.model import EventSourceMapping
from mappings.states import State
from mappings.store import StoredMapping
from mappings.validation import mapping_from_request
from poller.core.reconcile import Running, Settle, Start, Step, Stop, reconcile

MAPPING = mapping_from_request(
    {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:orders", "FunctionName": "f"}, now=0.0
)
OFF = replace(MAPPING, enabled=False)
FUNCTION = UrlFunction(name="f", url="http://a")


def stored(state: State, mapping: EventSourceMapping = MAPPING) -> StoredMapping:
    """A mapping in a State."""
    return StoredMapping(mapping=mapping, state=state, created_at=0.0, last_modified=0.0)


def running(
    *, mapping: EventSourceMapping = MAPPING, settled: bool = True, stopping: bool = False
) -> Running:
    """The mapping as it runs."""
    return Running(mapping=mapping, function=FUNCTION, settled=settled, stopping=stopping)


def steps(each: StoredMapping, runs: Running | None, function: Function | None = FUNCTION) -> list[Step]:
    """What is to be done for one mapping."""
    return list(reconcile([each], {each.uuid: runs} if runs else {}, {each.uuid: function}))


@pytest.mark.parametrize("state", [State.CREATING, State.ENABLING, State.ENABLED, State.UPDATING])
def test_a_wanted_mapping_that_does_not_run_is_started(state: State) -> None:
    """Whatever its State: so it is after a restart."""
    assert steps(stored(state), None) == [Start(stored=stored(state), function=FUNCTION)]


@pytest.mark.parametrize("state", [State.CREATING, State.ENABLING, State.UPDATING])
def test_a_state_settles_once_the_mapping_polls(state: State) -> None:
    """Not before."""
    assert steps(stored(state), running(settled=False)) == []
    assert steps(stored(state), running()) == [Settle(stored=stored(state))]


def test_a_mapping_that_runs_as_it_is_wanted_is_left_alone() -> None:
    """Nothing is written, nothing is stopped."""
    assert steps(stored(State.ENABLED), running()) == []


@pytest.mark.parametrize("state", [State.UPDATING, State.ENABLED])
def test_what_runs_otherwise_is_stopped_first(state: State) -> None:
    """It is started again when it has ended: never are two at work."""
    changed = stored(state, replace(MAPPING, batch_size=5))

    assert steps(changed, running()) == [Stop(uuid=MAPPING.uuid)]
    assert steps(changed, running(stopping=True)) == []
    assert steps(changed, None) == [Start(stored=changed, function=FUNCTION)]


def test_another_function_behind_the_same_name_is_taken_up() -> None:
    """The mapping itself has not changed."""
    other = UrlFunction(name="f", url="http://b")

    assert steps(stored(State.ENABLED), running(), other) == [Stop(uuid=MAPPING.uuid)]


@pytest.mark.parametrize(("state", "mapping"), [(State.DISABLING, OFF), (State.DELETING, MAPPING)])
def test_an_unwanted_mapping_settles_once_it_has_ended(state: State, mapping: EventSourceMapping) -> None:
    """Disabled or gone means that no invocation begins any more."""
    each = stored(state, mapping)

    assert steps(each, running()) == [Stop(uuid=MAPPING.uuid)]
    assert steps(each, running(stopping=True)) == []
    assert steps(each, None) == [Settle(stored=each)]


@pytest.mark.parametrize("state", [State.CREATING, State.UPDATING])
def test_a_disabled_stream_settles_without_ever_running(state: State) -> None:
    """It passes through the State all the same."""
    each = stored(state, OFF)

    assert steps(each, None) == [Settle(stored=each)]


def test_a_disabled_mapping_at_rest_is_left_alone() -> None:
    """There is nothing to do."""
    assert steps(stored(State.DISABLED, OFF), None) == []


def test_a_mapping_whose_function_is_gone_does_not_run() -> None:
    """It is stopped, not started, and its State comes to rest so that it can be mended."""
    assert steps(stored(State.ENABLED), running(), None) == [Stop(uuid=MAPPING.uuid)]
    assert steps(stored(State.ENABLED), None, None) == []
    assert steps(stored(State.CREATING), None, None) == [Settle(stored=stored(State.CREATING))]


def test_a_mapping_that_is_gone_is_stopped() -> None:
    """Once."""
    assert list(reconcile([], {"x": running()}, {})) == [Stop(uuid="x")]
    assert list(reconcile([], {"x": running(stopping=True)}, {})) == []
