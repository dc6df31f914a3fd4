"""What the pollers of one stream share."""

from dataclasses import dataclass

from poller.discarder import OnFailure
from poller.interfaces import Source, Target
from poller.rules import Rules
from poller.surroundings import Surroundings
from poller.telemetry import Meter
from poller.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class PollerParts:
    """What a poller works with."""

    mapping: str
    """UUID of the mapping."""
    source: Source
    target: Target
    rules: Rules
    on_failure: OnFailure | None
    watch: Watch
    surroundings: Surroundings
    meter: Meter
