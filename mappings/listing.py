"""Which mappings a ListEventSourceMappings request names, and how they are dealt to pages."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

from mappings.arns import FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidParameterValueException
from mappings.store import StoredMapping

# AWS shows no more, whatever is asked for.
MAXIMUM_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A request for one page."""

    event_source_arn: str | None = None
    function_name: str | None = None
    after: tuple[float, str] | None = None
    """The `order` of the last mapping of the page before."""
    size: int = MAXIMUM_PAGE

    @classmethod
    def of(cls, request: Mapping[str, object]) -> Self:
        """Read a request whose declared constraints are kept.

        Raises InvalidParameterValueException for a marker that is none, or that belongs to other filters.
        """
        filters = cls(
            event_source_arn=cast("str | None", request.get("EventSourceArn")),
            function_name=cast("str | None", request.get("FunctionName")),
        )
        marker = cast("str | None", request.get("Marker"))
        return cls(
            event_source_arn=filters.event_source_arn,
            function_name=filters.function_name,
            after=None if marker is None else filters._read(marker),
            size=min(cast("int", request.get("MaxItems", MAXIMUM_PAGE)), MAXIMUM_PAGE),
        )

    def page(
        self, stored: Sequence[StoredMapping], directory: FunctionDirectory
    ) -> tuple[Sequence[StoredMapping], str | None]:
        """Return one page of what is stored, in its order, and the next one's marker; None after the last."""
        found = [
            each
            for each in stored
            if self._names(each, directory) and (not self.after or each.order > self.after)
        ]
        page = found[: self.size]
        return page, self._marker(page[-1]) if len(found) > self.size else None

    def _names(self, stored: StoredMapping, directory: FunctionDirectory) -> bool:
        source, function = stored.mapping.link
        if self.event_source_arn is not None and self.event_source_arn != source:
            return False
        if self.function_name is None or _same_function(self.function_name, function):
            return True
        # A name that a file gives to a function of AWS Lambda.
        return directory.arn_of(self.function_name, stored.mapping.event_source) == function

    def _marker(self, last: StoredMapping) -> str:
        created_at, uuid = last.order
        return base64.urlsafe_b64encode(json.dumps([created_at, uuid, self._filters()]).encode()).decode()

    def _read(self, marker: str) -> tuple[float, str]:
        try:
            created_at, uuid, filters = json.loads(base64.urlsafe_b64decode(marker.encode()))
            after = float(created_at), str(uuid)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise InvalidParameterValueException("Invalid Marker", field="Marker") from None
        if filters != self._filters():
            raise InvalidParameterValueException("The Marker belongs to other filters", field="Marker")
        return after

    def _filters(self) -> str:
        text = json.dumps([self.event_source_arn, self.function_name])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _same_function(asked: str, function_arn: str) -> bool:
    """Whether a filter names exactly this function: a name without qualifier names no alias of it."""
    name, function = FunctionName.parse(asked), FunctionName.parse(function_arn)
    given = {part: getattr(name, part) for part in ("account", "region") if getattr(name, part) is not None}
    return name.qualified_name == function.qualified_name and all(
        getattr(function, part) == value for part, value in given.items()
    )
