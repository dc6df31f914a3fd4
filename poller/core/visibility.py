"""How long a message stays hidden from others, and whether that suits the function."""


def receive_visibility_s(*, queue_s: float, window_s: float, timeout_s: float | None) -> float | None:
    """The visibility timeout to ask for with each receive; None to leave the queue's own.

    Only a window together with the function's timeout may need longer than the queue gives (semantics 2.2.2).
    Where that timeout is not known the window at least must fit, or no batch would ever be delivered.

    Args:
        queue_s: VisibilityTimeout of the queue.
        window_s: MaximumBatchingWindowInSeconds.
        timeout_s: The function's timeout, None where it is not known.
    """
    needed_s = window_s + (timeout_s or 0.0)
    return needed_s + 30.0 if window_s and needed_s > queue_s else None


def visibility_problem(*, queue_s: float, timeout_s: float | None) -> str | None:
    """Why a queue does not suit a function, in AWS's words (semantics 1.4.7); None if it does."""
    if timeout_s is None or queue_s >= timeout_s:
        return None
    queue, function = f"{queue_s:.0f} seconds", f"{timeout_s:.0f} seconds"
    return f"Queue visibility timeout: {queue} is less than Function timeout: {function}"
