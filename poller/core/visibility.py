"""How long a message stays hidden from other consumers, and for how long it has to be."""

from dataclasses import dataclass

MARGIN_S = 5.0
"""Beyond the function's timeout: the request's way, the answer's, and the delete."""
WINDOW_MARGIN_S = 30.0  # what AWS adds to a batching window and the function's timeout (semantics 2.2.2)
LONGEST_S = 43_200.0  # 12 hours: the longest visibility timeout SQS grants
LATE_S = 1.0
"""A batch that waited its batching window and this long starts without a renewal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """The visibility timeouts of one queue for one function, in seconds.

    Where the function's timeout is not known the queue's VisibilityTimeout stands for it: AWS accepts no
    longer function when a mapping is made.
    """

    queue_s: float
    """VisibilityTimeout of the queue."""
    window_s: float = 0.0
    """MaximumBatchingWindowInSeconds."""
    timeout_s: float | None = None
    """The function's timeout; None where it is not known."""

    @property
    def asked_s(self) -> float | None:
        """What each receive asks for; None to leave the queue's own (semantics 2.2.2).

        Only a window together with the function's timeout may need longer than the queue gives.
        """
        needed_s = self.window_s + self.run_s
        if not self.window_s or needed_s <= self.queue_s:
            return None
        return min(needed_s + WINDOW_MARGIN_S, LONGEST_S)

    @property
    def effective_s(self) -> float:
        """How long a receive hides a message."""
        return self.queue_s if self.asked_s is None else self.asked_s

    @property
    def run_s(self) -> float:
        """How long an invocation may take."""
        return self.queue_s if self.timeout_s is None else self.timeout_s

    @property
    def start_s(self) -> float:
        """How much has to be left when an invocation starts that waited."""
        return self.run_s + MARGIN_S

    @property
    def renewed_s(self) -> float:
        """What a message is renewed to before a late start."""
        return min(max(self.effective_s, self.start_s), LONGEST_S)

    @property
    def waiting_s(self) -> float:
        """What a message that waits is renewed to: when half of it is gone an invocation may still start."""
        return min(max(self.effective_s, 2 * self.start_s), LONGEST_S)

    @property
    def problem(self) -> str | None:
        """Why the queue does not suit the function, in AWS's words (semantics 1.4.7); None if it does."""
        if self.timeout_s is None or self.queue_s >= self.timeout_s:
            return None
        queue, function = f"{self.queue_s:.0f} seconds", f"{self.timeout_s:.0f} seconds"
        return f"Queue visibility timeout: {queue} is less than Function timeout: {function}"


def long_poll_s(longest_s: float, *, grace_s: float | None) -> float:
    """Return the WaitTimeSeconds of an idle receive, so that a drain outlasts it (faults 10).

    Args:
        longest_s: What is waited where nothing else limits it.
        grace_s: How long a drain may take; None where it is longer than any poll.
    """
    if grace_s is None or grace_s > longest_s + MARGIN_S:
        return longest_s
    return 0.0 if grace_s < 2 else min(longest_s, float(int(grace_s / 2)))


def hidden_since(*, asked_at: float, answered_at: float, longest_s: float) -> float:
    """Return the monotonic time from which a received message is hidden.

    An answer that was read later than any answer comes was waiting here, in a process that was suspended.

    Args:
        asked_at: When the receive was sent.
        answered_at: When its answer was read.
        longest_s: How long an answer may take.
    """
    return min(answered_at, asked_at + longest_s)
