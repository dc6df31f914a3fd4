"""What Retry-After says: seconds, or a date that is read against the answer's own Date (RFC 9110 10.2.3)."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 60.0  # whoever says more is asked again all the same: it may be back sooner
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def wait_s(retry_after: str | None, date: str | None) -> float | None:
    """How long to wait, no longer than LONGEST_S; None where nothing usable is said.

    Args:
        retry_after: The header, None where there is none.
        date: The answer's Date, None where there is none.
    """
    said = (retry_after or "").strip()
    if _SECONDS.fullmatch(said):
        return min(float(said), LONGEST_S)
    until, since = _moment(said), _moment(date or "")
    if until is None or since is None:
        return None
    return min(max((until - since).total_seconds(), 0.0), LONGEST_S)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
