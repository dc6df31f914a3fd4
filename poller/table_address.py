"""Which DynamoDB table a `POLLER_STATE` names, and which fleet in it."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qsl, urlsplit

NAMESPACE = "default"
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")
_NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_REGION = re.compile(r"[a-z0-9-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableAddress:
    """`dynamodb://table?namespace=fleet&region=eu-west-1`."""

    table: str
    namespace: str = NAMESPACE
    """Of the fleet: workers of one namespace share its mappings and shards, others may use the table too."""
    region: str | None = None
    """None for the region of the environment."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read an address. Raises ValueError with what is wrong with it."""
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        options = dict(pairs)
        unknown = sorted(options.keys() - {"namespace", "region"})
        if unknown or len(options) < len(pairs):
            raise ValueError(f"{unknown[0] if unknown else pairs[0][0]!r} is no option, or is given twice")
        namespace, region = options.get("namespace", NAMESPACE), options.get("region")
        if parts.scheme != "dynamodb" or parts.path or parts.fragment or not _TABLE.fullmatch(parts.netloc):
            raise ValueError("a table is named by 3 to 255 letters, digits, _, - and .")
        if not _NAMESPACE.fullmatch(namespace):
            raise ValueError("a namespace has 1 to 64 letters, digits, _, - and .")
        if region is not None and not _REGION.fullmatch(region):
            raise ValueError(f"{region!r} is no region")
        return cls(table=parts.netloc, namespace=namespace, region=region)

    def __str__(self) -> str:
        options = [] if self.namespace == NAMESPACE else [f"namespace={self.namespace}"]
        options += [] if self.region is None else [f"region={self.region}"]
        return f"dynamodb://{self.table}" + ("?" + "&".join(options) if options else "")
