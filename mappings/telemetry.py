"""What the API logs: each event, named once; of a bug its kind and place: its text may quote a request."""

from enum import StrEnum

import structlog

from mappings.cautions import cautions_of
from mappings.model import EventSourceMapping

_PLACES = 8


class Log(StrEnum):
    """Names of log events."""

    API_REQUEST_CRASHED = "api_request_crashed"
    API_WITHOUT_AUTHENTICATION = "api_without_authentication"
    API_SECRETS_REREAD = "api_secrets_reread"
    API_SECRETS_KEPT = "api_secrets_kept"
    MAPPING_CAUTION = "mapping_caution"
    """AWS may refuse what was accepted."""


def log_cautions(mapping: EventSourceMapping) -> None:
    """Log what AWS may refuse of a mapping."""
    for caution in cautions_of(mapping):
        structlog.get_logger().warning(Log.MAPPING_CAUTION, mapping=mapping.label, caution=caution)


def log_crash(error: BaseException | None) -> None:
    """Log where an unexpected exception came from."""
    places = []
    trace = error.__traceback__ if error else None
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    log = structlog.get_logger()
    log.error(Log.API_REQUEST_CRASHED, error=type(error).__name__, at=places[-_PLACES:])
