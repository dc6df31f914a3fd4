"""The state machine of a mapping, from all States by all actions."""

import pytest

from mappings.arns import SourceKind
from mappings.errors import IllegalTransition, ResourceInUseException
from mappings.states import Action, State, settled_state, state_after, transition_reason

SQS, KINESIS, DYNAMODB = SourceKind.SQS, SourceKind.KINESIS, SourceKind.DYNAMODB
TRANSITIONAL = [state for state in State if state not in {State.ENABLED, State.DISABLED}]


@pytest.mark.parametrize(
    ("action", "state", "queue", "stream"),
    [
        (Action.CREATE, None, State.CREATING, State.CREATING),
        (Action.CREATE_DISABLED, None, State.DISABLED, State.CREATING),
        (Action.ENABLE, State.DISABLED, State.ENABLING, State.ENABLING),
        (Action.DISABLE, State.ENABLED, State.DISABLING, State.DISABLING),
        (Action.UPDATE, State.ENABLED, State.UPDATING, State.UPDATING),
        (Action.UPDATE, State.DISABLED, State.DISABLED, State.UPDATING),
        (Action.DELETE, State.ENABLED, State.DELETING, State.DELETING),
        (Action.DELETE, State.DISABLED, State.DELETING, State.DELETING),
    ],
)
def test_an_action_leads_where_aws_leads(
    action: Action, state: State | None, queue: State, stream: State
) -> None:
    """Queues and streams differ where a disabled mapping has nothing to settle."""
    assert state_after(action, state, SQS) == queue
    assert state_after(action, state, KINESIS) == stream
    assert state_after(action, state, DYNAMODB) == stream


@pytest.mark.parametrize("state", TRANSITIONAL)
@pytest.mark.parametrize("kind", SourceKind)
def test_a_mapping_in_transition_is_in_use(state: State, kind: SourceKind) -> None:
    """AWS refuses update and delete until the State has settled, in these words."""
    with pytest.raises(ResourceInUseException) as update:
        state_after(Action.UPDATE, state, kind)
    with pytest.raises(ResourceInUseException) as delete:
        state_after(Action.DELETE, state, kind)

    assert update.value.message == "Cannot update the event source mapping because it is in use."
    assert delete.value.message == "Cannot delete the event source mapping because it is in use."


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.CREATE, State.ENABLED),
        (Action.CREATE_DISABLED, State.UPDATING),
        (Action.ENABLE, State.ENABLED),
        (Action.DISABLE, State.DISABLED),
        (Action.UPDATE, None),
        (Action.DELETE, None),
    ],
)
def test_what_is_not_in_the_table_raises(action: Action, state: State | None) -> None:
    """An action that makes no sense in a State is a mistake of the caller."""
    with pytest.raises(IllegalTransition):
        state_after(action, state, SQS)


@pytest.mark.parametrize(
    ("state", "enabled", "rest"),
    [
        (State.CREATING, True, State.ENABLED),
        (State.CREATING, False, State.DISABLED),
        (State.ENABLING, True, State.ENABLED),
        (State.DISABLING, False, State.DISABLED),
        (State.UPDATING, True, State.ENABLED),
        (State.UPDATING, False, State.DISABLED),
        (State.DELETING, True, None),
        (State.DELETING, False, None),
    ],
)
def test_a_transitional_state_settles(state: State, *, enabled: bool, rest: State | None) -> None:
    """Where it comes to rest depends on Enabled; a deleted mapping is gone."""
    assert settled_state(state, enabled=enabled) == rest


@pytest.mark.parametrize(
    ("state", "enabled"),
    [(State.ENABLED, True), (State.DISABLED, False), (State.ENABLING, False), (State.DISABLING, True)],
)
def test_what_has_settled_does_not_settle_again(state: State, *, enabled: bool) -> None:
    """Only transitional States settle, and only as their own direction allows."""
    with pytest.raises(IllegalTransition):
        settled_state(state, enabled=enabled)


def test_the_reason_differs_between_queues_and_streams() -> None:
    """AWS words a user's action in two ways."""
    assert [transition_reason(kind) for kind in (SQS, KINESIS, DYNAMODB)] == [
        "USER_INITIATED",
        "User action",
        "User action",
    ]
