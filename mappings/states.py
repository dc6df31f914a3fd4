"""The States of a mapping and every way from one to the next. No other file decides what State follows."""

from enum import StrEnum

from mappings.arns import SourceKind
from mappings.errors import IllegalTransition, ResourceInUseException


class State(StrEnum):
    CREATING = "Creating"
    ENABLING = "Enabling"
    ENABLED = "Enabled"
    DISABLING = "Disabling"
    DISABLED = "Disabled"
    UPDATING = "Updating"
    DELETING = "Deleting"

    @property
    def is_settled(self) -> bool:
        return self in {State.ENABLED, State.DISABLED}


class Action(StrEnum):
    """What a user does to a mapping; an update that leaves Enabled as it was is UPDATE."""

    CREATE = "create"
    CREATE_DISABLED = "create disabled"
    ENABLE = "enable"
    DISABLE = "disable"
    UPDATE = "update"
    DELETE = "delete"


_EVERY_SOURCE: dict[tuple[State | None, Action], State] = {
    (None, Action.CREATE): State.CREATING,
    (State.DISABLED, Action.ENABLE): State.ENABLING,
    (State.ENABLED, Action.DISABLE): State.DISABLING,
    (State.ENABLED, Action.UPDATE): State.UPDATING,
    (State.ENABLED, Action.DELETE): State.DELETING,
    (State.DISABLED, Action.DELETE): State.DELETING,
}
# A queue that is not polled has nothing to settle; a stream passes through the transitional State even so.
ACTIONS: dict[bool, dict[tuple[State | None, Action], State]] = {
    False: _EVERY_SOURCE
    | {
        (None, Action.CREATE_DISABLED): State.DISABLED,
        (State.DISABLED, Action.UPDATE): State.DISABLED,
    },
    True: _EVERY_SOURCE
    | {
        (None, Action.CREATE_DISABLED): State.CREATING,
        (State.DISABLED, Action.UPDATE): State.UPDATING,
    },
}

# (State, the mapping's `enabled`) -> where it comes to rest; None is gone.
SETTLEMENTS: dict[tuple[State, bool], State | None] = {
    (State.CREATING, True): State.ENABLED,
    (State.CREATING, False): State.DISABLED,
    (State.ENABLING, True): State.ENABLED,
    (State.DISABLING, False): State.DISABLED,
    (State.UPDATING, True): State.ENABLED,
    (State.UPDATING, False): State.DISABLED,
    (State.DELETING, True): None,
    (State.DELETING, False): None,
}


def state_after(action: Action, state: State | None, kind: SourceKind) -> State:
    """Return the State that an action leads to, from `state`, which is None before the mapping exists.

    Raises ResourceInUseException while the mapping is in a transitional State, as AWS does.
    """
    following = ACTIONS[kind.is_stream].get((state, action))
    if following is not None:
        return following
    if state is None or state.is_settled or action in {Action.CREATE, Action.CREATE_DISABLED}:
        raise IllegalTransition(f"no {action} from {state or 'nothing'}")
    verb = "delete" if action is Action.DELETE else "update"
    raise ResourceInUseException(f"Cannot {verb} the event source mapping because it is in use.")


def settled_state(state: State, *, enabled: bool) -> State | None:
    """Return the State in which a transitional one comes to rest, or None when the mapping is then gone."""
    if (state, enabled) not in SETTLEMENTS:
        raise IllegalTransition(f"{state} does not settle with Enabled={enabled}")
    return SETTLEMENTS[state, enabled]


def transition_reason(kind: SourceKind) -> str:
    """Return what StateTransitionReason says of a user's action."""
    return "User action" if kind.is_stream else "USER_INITIATED"
