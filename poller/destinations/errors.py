"""Which error of a destination an SDK error means."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from poller.aws import error_code, source_errors
from poller.errors import (
    DestinationDenied,
    DestinationError,
    DestinationGone,
    DestinationKeyRefused,
    DestinationUnauthenticated,
    DestinationUnavailable,
    DestinationUnsuitable,
    SourceDenied,
    SourceError,
    SourceGone,
    SourceThrottled,
    SourceUnauthenticated,
)

_AS_OF_A_SOURCE: Mapping[type[SourceError], type[DestinationError]] = {
    SourceGone: DestinationGone,
    SourceDenied: DestinationDenied,
    SourceUnauthenticated: DestinationUnauthenticated,
}
# What SendMessage, Publish and PutObject say beside the codes that sources answer with.
_GONE = {"404", "NoSuchBucket", "NotFound"}  # an answer to HEAD has no body that could say more
_DENIED = {
    "403",
    "AccountProblem",
    "AllAccessDisabled",
    "InvalidSecurity",
    "NotSignedUp",
}
# Each service spells KMS's errors in its own way: KMS.DisabledException, KmsDisabled, KMSDisabled ...
_KEY_REFUSED = {
    f"{prefix}{name}{suffix}"
    for prefix, suffixes in {"KMS.": ("Exception", ""), "KMS": ("", "Exception"), "Kms": ("",)}.items()
    for suffix in suffixes
    for name in ("AccessDenied", "Disabled", "InvalidKeyUsage", "InvalidState", "NotFound", "OptInRequired")
}
_UNSUITABLE = {
    "AWS.SimpleQueueService.UnsupportedOperation",
    "AuthorizationHeaderMalformed",  # a bucket of another region, where the SDK was not told which
    "EntityTooLarge",
    "IllegalLocationConstraintException",
    "InvalidBucketName",
    "InvalidMessageContents",
    "InvalidParameter",
    "InvalidParameterValue",  # how SQS says that a queue's MaximumMessageSize is less than the document
    "InvalidParameterValueException",
    "InvalidRequest",
    "ParameterValueInvalid",
    "PermanentRedirect",
    "UnsupportedOperation",
    "ValidationException",
}
# Services say more than is listed here; what they blame on the request stays refused in this form.
_BLAMES_THE_REQUEST = {400, 413, 415, 422}
_SERVERS_FAULT = ("Internal", "ServiceUnavailable")
_PASSING = {
    *ThrottledRetryableChecker._THROTTLED_ERROR_CODES,  # noqa: SLF001  # botocore's own lists
    *TransientRetryableChecker._TRANSIENT_ERROR_CODES,  # noqa: SLF001
    "IncompleteBody",
    "KMSThrottling",
    "KMS.ThrottlingException",
}
_ENTRY_CODES: Mapping[str, type[DestinationError]] = {
    "AccessDeniedException": DestinationDenied,
    "ResourceNotFoundException": DestinationGone,
}
_BY_CODE: Mapping[str, type[DestinationError]] = {
    **dict.fromkeys(_GONE, DestinationGone),
    **dict.fromkeys(_DENIED, DestinationDenied),
    **dict.fromkeys(_KEY_REFUSED, DestinationKeyRefused),
    **dict.fromkeys(_UNSUITABLE, DestinationUnsuitable),
    **dict.fromkeys(_PASSING, DestinationUnavailable),
}


def entry_error(code: str) -> type[DestinationError]:
    """The error that a refused entry of a successful answer means; what is not passing stays refused."""
    if not code or code.startswith(_SERVERS_FAULT):
        return DestinationUnavailable
    return _BY_CODE.get(code) or _ENTRY_CODES.get(code, DestinationUnsuitable)


@contextmanager
def destination_errors(destination: str) -> Iterator[None]:
    """Turn the SDK's errors into ours. Codes decide, never texts.

    Args:
        destination: Name of the queue, topic or bucket, for the message.
    """
    try:
        with source_errors(destination):
            yield
    except SourceError as error:
        cause = error.__cause__
        code = error_code(cause) if isinstance(cause, ClientError) else ""
        kind = _BY_CODE.get(code) or _AS_OF_A_SOURCE.get(type(error)) or _unlisted(error, cause, code)
        raise kind(str(error)) from cause


def _unlisted(error: SourceError, cause: BaseException | None, code: str) -> type[DestinationError]:
    passing = isinstance(error, SourceThrottled) or code.startswith(_SERVERS_FAULT)
    if not passing and isinstance(cause, ClientError):
        status = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if status in _BLAMES_THE_REQUEST:
            return DestinationUnsuitable
        if status in {401, 403}:
            return DestinationDenied
    return DestinationUnavailable
