"""Which error of a destination an SDK error means."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import ClientError

from poller.aws import error_code, source_errors
from poller.errors import (
    DestinationDenied,
    DestinationError,
    DestinationGone,
    DestinationUnavailable,
    DestinationUnsuitable,
    SourceDenied,
    SourceError,
    SourceGone,
)

_AS_OF_A_SOURCE: Mapping[type[SourceError], type[DestinationError]] = {
    SourceGone: DestinationGone,
    SourceDenied: DestinationDenied,
}
# What SendMessage, Publish and PutObject say beside the codes that sources answer with.
_GONE = {"404", "NoSuchBucket", "NotFound"}  # an answer to HEAD has no body that could say more
_DENIED = {
    "403",
    "AccountProblem",
    "AllAccessDisabled",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidToken",
    "KMS.AccessDeniedException",
    "KMS.DisabledException",
    "KMS.InvalidKeyUsageException",
    "KMS.InvalidStateException",
    "KMS.NotFoundException",
    "KMS.OptInRequired",
    "KMSAccessDenied",
    "KMSDisabled",
    "KMSInvalidState",
    "KMSNotFound",
    "KmsInvalidKeyUsage",
    "KmsInvalidState",
    "KmsNotFound",
    "NotSignedUp",
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
_BY_CODE: Mapping[str, type[DestinationError]] = {
    **dict.fromkeys(_GONE, DestinationGone),
    **dict.fromkeys(_DENIED, DestinationDenied),
    **dict.fromkeys(_UNSUITABLE, DestinationUnsuitable),
}


def code_error(code: str) -> type[DestinationError]:
    """The error that a service's own word for one means."""
    return _BY_CODE.get(code) or (
        DestinationDenied if code == "AccessDeniedException" else DestinationUnavailable
    )


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
        kind = _BY_CODE.get(code) or _AS_OF_A_SOURCE.get(type(error), DestinationUnavailable)
        raise kind(str(error)) from cause
