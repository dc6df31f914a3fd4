"""Event invoke configs in this process, for tests and embedders."""

from collections.abc import Sequence

from mappings.event_invoke import EventInvokeConfig


class MemoryEventInvokeConfigStore:
    """Keeps settings as long as the process lives."""

    def __init__(self) -> None:
        self._configs: dict[tuple[str, str], EventInvokeConfig] = {}

    async def get(self, function: str, qualifier: str) -> EventInvokeConfig | None:
        """The settings under one qualifier."""
        return self._configs.get((function, qualifier))

    async def list(self, function: str) -> Sequence[EventInvokeConfig]:
        """All settings of a function."""
        return [config for (name, _), config in sorted(self._configs.items()) if name == function]

    async def put(self, config: EventInvokeConfig) -> None:
        """Keep settings."""
        self._configs[config.function, config.qualifier] = config

    async def remove(self, function: str, qualifier: str) -> bool:
        """Forget settings."""
        return self._configs.pop((function, qualifier), None) is not None
