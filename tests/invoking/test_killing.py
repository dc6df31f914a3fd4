"""A small campaign of kills; `make kill-events` runs a thousand events."""

from pathlib import Path

from tests.invoking.killing import campaign


def test_events_survive_kills(tmp_path: Path) -> None:
    """Each is handled or told of, its attempts are bounded, and its request id is one."""
    made = campaign(tmp_path, events=30, kills=2, seed=1)

    assert made.judge() == []
    assert len(made.accepted) == 30
    assert made.kills >= 2
