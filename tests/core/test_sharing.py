"""The concurrency of a queue, divided over the workers of a fleet."""

from hypothesis import given
from hypothesis import strategies as st

from poller.core.scaling import ScalingRules
from poller.core.sharing import NOTHING, WHOLE, Portion, Share, share, share_of, shared
from poller.core.tenure import Tenure

TENURE = Tenure(lease_s=10.0)


@given(total=st.integers(0, 3000), members=st.integers(1, 40))
def test_all_parts_are_the_whole(total: int, members: int) -> None:
    """None is larger than another by more than one."""
    parts = [share(total, members=members, index=index) for index in range(members)]

    assert sum(parts) == total
    assert max(parts) - min(parts) <= 1


def test_a_maximum_concurrency_is_kept_by_all_together() -> None:
    """With more workers than that, some do not poll the queue."""
    rules = ScalingRules(start=2, quiet=2, low=2, maximum=2)

    maxima = [shared(rules, Share(index, 3), capped=True).maximum for index in range(3)]

    assert maxima == [1, 1, 0]
    assert shared(rules, NOTHING, capped=True).maximum == 0


def test_without_a_maximum_of_its_own_every_worker_polls_a_queue() -> None:
    """AWS's start of five is divided, and each of eight workers still looks at the queue."""
    rules = [shared(ScalingRules(), Share(index, 8), capped=False) for index in range(8)]

    assert [rule.start for rule in rules] == [1] * 8
    assert sum(rule.maximum for rule in rules) == 1250


def test_the_ramp_of_all_is_the_ramp_of_one() -> None:
    """300 more a minute, however many workers there are."""
    rules = [shared(ScalingRules(), Share(index, 3), capped=False) for index in range(3)]

    assert sum(rule.growth_per_s or 0.0 for rule in rules) == 5.0


def test_one_worker_has_everything_at_once() -> None:
    """Nobody has to give anything up first."""
    assert Portion(TENURE).follow("a", ["a"], 100.0) == WHOLE


def test_a_share_shrinks_at_once_and_grows_when_the_others_have_shrunk() -> None:
    """The sum is never more than the whole."""
    portion = Portion(TENURE)
    portion.follow("a", ["a"], 100.0)

    assert portion.follow("a", ["a", "b"], 101.0) == Share(0, 2)
    assert portion.follow("a", ["a"], 102.0) == Share(0, 2)
    assert portion.follow("a", ["a"], 104.5) == WHOLE


def test_a_new_worker_waits_until_all_have_seen_it() -> None:
    """Before it takes its share."""
    portion = Portion(TENURE)

    assert portion.follow("b", ["a", "b"], 100.0) == NOTHING
    assert portion.follow("b", ["a", "b"], 102.4) == NOTHING
    assert portion.follow("b", ["a", "b"], 102.5) == Share(1, 2)


def test_who_leaves_has_no_share() -> None:
    """It receives nothing any more."""
    assert share_of("a", ["b"]) == NOTHING


@given(
    views=st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=12),
    total=st.integers(1, 12),
)
def test_shares_in_force_never_exceed_the_total(views: list[set[str]], total: int) -> None:
    """Everybody sees each change within a look of its own; shares that grow wait for it."""
    portions = {name: Portion(TENURE) for name in "abcd"}
    now = 0.0
    for view in views:
        for offset, name in enumerate("abcd"):
            if name in view:
                portions[name].follow(name, sorted(view), now + offset * 0.2)
            else:
                portions[name].follow(name, [], now)
        for beat in range(1, 4):
            for offset, name in enumerate("abcd"):
                portions[name].follow(name, sorted(view) if name in view else [], now + beat + offset * 0.2)
            parts = [p.current for p in portions.values() if not p.current.nothing]
            assert sum(share(total, members=p.members, index=p.index) for p in parts) <= total
        now += 4.0
