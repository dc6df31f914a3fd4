"""The timers of a fleet, and the inequalities between them."""

import pytest

from poller.core.tenure import Tenure, may_act


def test_all_timers_follow_the_length_of_a_lease() -> None:
    """Ten seconds by default; twice the length, twice everything."""
    short, long = Tenure(), Tenure(lease_s=20.0)

    assert short.lease_s == 10.0
    for timer in ("beat_s", "reply_s", "fence_s", "takeover_s", "watch_s", "keep_s", "growth_s", "burial_s"):
        assert getattr(long, timer) == pytest.approx(2 * getattr(short, timer))


def test_a_worker_acts_for_two_thirds_of_a_lease() -> None:
    """Counted from before its last answered heartbeat was sent; before the first one not at all."""
    tenure = Tenure(lease_s=9.0)

    assert may_act(now=105.9, beaten_at=100.0, tenure=tenure)
    assert not may_act(now=106.0, beaten_at=100.0, tenure=tenure)
    assert not may_act(now=0.0, beaten_at=None, tenure=tenure)


def test_timers_that_would_let_two_act_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The inequalities are asserted at the start."""
    monkeypatch.setattr(Tenure, "fence_s", property(lambda tenure: tenure.lease_s * 0.9))

    with pytest.raises(ValueError, match="before anybody takes over"):
        Tenure()


@pytest.mark.parametrize("lease_s", [0.0, -1.0])
def test_a_lease_has_a_length(lease_s: float) -> None:
    """Nothing could be renewed in time."""
    with pytest.raises(ValueError, match="has a length"):
        Tenure(lease_s=lease_s)
