"""How many batches of a queue are in flight: a load sample in, a number out."""

from dataclasses import dataclass, replace

from mappings.model import EventSourceMapping

START = 5  # concurrent batches at first, and on low traffic (semantics 2.6.1, 2.6.2)
LOW = 2  # what AWS may come down to when there is nothing to do
GROWTH_PER_S = 300 / 60  # concurrent batches added per second while a backlog lasts
MAXIMUM = 1250  # concurrent batches of one mapping
PROVISIONED_GROWTH_PER_S = 1000 / 60  # semantics 2.6.5
INVOCATIONS_PER_EVENT_POLLER = 10  # of a provisioned event poller
# After a failure or a throttle the load is left as it is for a while before it is raised again.
CALM_S = 10.0
IDLE_BEFORE_LOW_S = 300.0
FAILURE_FACTOR = 0.9
# A few failures among many successes are poison messages, not a function that does not keep up: one failing
# message group must not slow the others.
FAILURE_SHARE = 0.5
THROTTLE_FACTOR = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingRules:
    """Between what and how fast."""

    start: int = START
    low: int = LOW
    """What failures and throttles bring it down to."""
    quiet: int = LOW
    """What it comes down to when there is nothing to do for long."""
    maximum: int = MAXIMUM
    growth_per_s: float | None = GROWTH_PER_S
    """None: no ramp; a poller is added wherever all have work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What happened since the sample before."""

    elapsed_s: float
    pollers: int
    busy: int
    """Pollers that have a batch in hand."""
    reads: int
    asked: int
    """Records these reads could have returned."""
    received: int
    invocations: int
    failures: int
    """Invocations that ended in a function error."""
    throttles: int
    """Invocations that were refused."""

    @property
    def backlog(self) -> bool:
        """Whether more is waiting than the pollers take: each has a batch in hand, or reads come back full.

        A queue with a backlog does not fill every read: it looks at some of its servers only.
        """
        return self.busy >= self.pollers or (self.reads > 0 and self.received * 2 > self.asked)

    @property
    def failing(self) -> bool:
        """Whether the function fails on more than single batches."""
        return self.failures > 0 and self.failures >= self.invocations * FAILURE_SHARE

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do."""
        return self.busy == 0 and self.received == 0


class QueueScaler:
    """Follows the backlog up at AWS's ramp, and down when it ends or when the function does not keep up."""

    def __init__(self, rules: ScalingRules) -> None:
        self._rules = rules
        self._wanted = float(rules.start)
        self._calm_s = 0.0
        self._idle_s = 0.0

    @property
    def wanted(self) -> int:
        """Pollers to run now."""
        return int(self._wanted)

    def limit(self, rules: ScalingRules) -> None:
        """Follow other rules from now on: this worker's share of the whole has changed."""
        if rules == self._rules:
            return
        began = not self._rules.maximum
        self._rules = rules
        self._wanted = float(rules.start) if began else min(self._wanted, float(rules.maximum))

    def follow(self, load: Load) -> int:
        """Take a sample in; pollers to run from now on."""
        self._calm_s = max(self._calm_s - load.elapsed_s, 0.0)
        self._idle_s = self._idle_s + load.elapsed_s if load.idle else 0.0
        if load.throttles:
            self._shrink(THROTTLE_FACTOR)
        elif load.failing:
            self._shrink(FAILURE_FACTOR)
        elif load.backlog:
            self._grow(load)
        else:
            self._settle(load)
        return self.wanted

    def _shrink(self, factor: float) -> None:
        self._calm_s = CALM_S
        self._wanted = max(self._wanted * factor, float(self._rules.low))

    def _grow(self, load: Load) -> None:
        if self._calm_s:
            return
        rate = self._rules.growth_per_s
        grown = self._wanted * 2 if rate is None else self._wanted + rate * load.elapsed_s
        self._wanted = min(grown, float(self._rules.maximum))

    def _settle(self, load: Load) -> None:
        """Come down to what is used: half of the surplus at a time, and low only after a long quiet."""
        floor = self._rules.quiet if self._idle_s >= IDLE_BEFORE_LOW_S else self._rules.start
        surplus = self._wanted - max(load.busy, floor)
        if surplus > 0:
            self._wanted -= max(surplus / 2, min(surplus, 1.0))


def scaling_rules(mapping: EventSourceMapping) -> ScalingRules:
    """The rules of a queue mapping (semantics 2.6)."""
    growth = None if mapping.event_source.fifo else GROWTH_PER_S
    if mapping.minimum_pollers is not None or mapping.maximum_pollers is not None:
        low = (mapping.minimum_pollers or 2) * INVOCATIONS_PER_EVENT_POLLER
        high = (mapping.maximum_pollers or 200) * INVOCATIONS_PER_EVENT_POLLER
        return ScalingRules(
            start=low, low=low, quiet=low, maximum=high, growth_per_s=PROVISIONED_GROWTH_PER_S
        )
    if mapping.maximum_concurrency is not None:
        # With a maximum set, AWS does not come down to two when it is quiet.
        start = min(START, mapping.maximum_concurrency)
        return ScalingRules(
            start=start, quiet=start, maximum=mapping.maximum_concurrency, growth_per_s=growth
        )
    return ScalingRules(growth_per_s=growth)


def within(rules: ScalingRules, concurrency: int | None) -> ScalingRules:
    """The rules with no more batches at once than the function runs; None for a function without a limit."""
    if concurrency is None or concurrency >= rules.maximum:
        return rules
    return replace(
        rules,
        start=min(rules.start, concurrency),
        low=min(rules.low, concurrency),
        quiet=min(rules.quiet, concurrency),
        maximum=concurrency,
    )
