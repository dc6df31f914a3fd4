"""Event invoke configs in the state file, beside the mappings."""

from collections.abc import Sequence

from mappings.event_invoke import EventInvokeConfig
from mappings.stores.sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS event_invoke_configs (
    function TEXT NOT NULL,
    qualifier TEXT NOT NULL,
    last_modified REAL NOT NULL,
    maximum_retry_attempts INTEGER,
    maximum_event_age_in_seconds INTEGER,
    on_success TEXT,
    on_failure TEXT,
    PRIMARY KEY (function, qualifier)
) WITHOUT ROWID
"""
_SELECT = "SELECT * FROM event_invoke_configs WHERE function = ?"


class SqliteEventInvokeConfigStore:
    """Keeps settings in a file that is open already."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def get(self, function: str, qualifier: str) -> EventInvokeConfig | None:
        """The settings under one qualifier."""
        row = await self._file.do(
            lambda db: db.execute(f"{_SELECT} AND qualifier = ?", (function, qualifier)).fetchone()
        )
        return _config(row) if row else None

    async def list(self, function: str) -> Sequence[EventInvokeConfig]:
        """All settings of a function."""
        rows = await self._file.do(
            lambda db: db.execute(f"{_SELECT} ORDER BY qualifier", (function,)).fetchall()
        )
        return [_config(row) for row in rows]

    async def put(self, config: EventInvokeConfig) -> None:
        """Keep settings."""
        await self._file.do(
            lambda db: db.execute(
                "REPLACE INTO event_invoke_configs VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    config.function,
                    config.qualifier,
                    config.last_modified,
                    config.maximum_retry_attempts,
                    config.maximum_event_age_in_seconds,
                    config.on_success,
                    config.on_failure,
                ),
            )
        )

    async def remove(self, function: str, qualifier: str) -> bool:
        """Forget settings."""
        removed = await self._file.do(
            lambda db: (
                db.execute(
                    "DELETE FROM event_invoke_configs WHERE function = ? AND qualifier = ?",
                    (function, qualifier),
                ).rowcount
            )
        )
        return removed > 0


def _config(row: tuple[str, str, float, int | None, int | None, str | None, str | None]) -> EventInvokeConfig:
    function, qualifier, last_modified, attempts, age, on_success, on_failure = row
    return EventInvokeConfig(
        function=function,
        qualifier=qualifier,
        last_modified=last_modified,
        maximum_retry_attempts=attempts,
        maximum_event_age_in_seconds=age,
        on_success=on_success,
        on_failure=on_failure,
    )
