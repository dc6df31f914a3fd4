"""The two ways to AWS, which must be one to whoever is behind the seams."""

import pytest


@pytest.fixture(params=[True, False], ids=["hot path", "SDK"])
def hot_path(request: pytest.FixtureRequest) -> bool:
    """Whether hot calls go past the SDK's own pipeline."""
    assert isinstance(request.param, bool)
    return request.param
