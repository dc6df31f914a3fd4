"""The errors of `mappings`, and how AWS spells each of them on the wire: code, status, member names.

MappingError                        one request refused; carries the field
├─ InvalidParameterValueException   400  legal values break a rule
├─ ValidationException              400  values break a constraint that the service model declares
├─ SerializationException           400  the body of a request cannot be read
├─ UnknownOperationException        404  no operation that is served
├─ ResourceConflictException        409  the mapping exists already
├─ ResourceInUseException           400  the mapping is in a transitional State
├─ ResourceNotFoundException        404  no such mapping or function
├─ InvalidRequestContentException   400  the payload or client context of an invocation cannot be read
├─ MalformedHttpRequestException    400  not HTTP as it is spoken here
├─ MissingAuthenticationTokenException  403  no Authorization header
├─ IncompleteSignatureException     403  an Authorization header that does not say or sign what it must
├─ InvalidSignatureException        403  a wrong key or signature, too old, or used before
├─ UnrecognizedClientException      403  a wrong bearer token
├─ AccessDeniedException            403  a caller, host or page that may not do this
├─ RequestTimeoutException          408  the request did not arrive in time
├─ RequestTooLargeException         413  the body is too large
├─ RequestEntityTooLargeException   413  the headers are too large
├─ UnsupportedMediaTypeException    415  a body that is not JSON
├─ TooManyRequestsException         429  the caller must slow down
└─ ServiceException                 500  our own fault
ValueError
├─ InvalidArn                       a text is no ARN, or no function name
│  └─ UnrecognizedEventSource       an ARN of a service that is never polled
├─ IllegalTransition                a State change that is not in the table
├─ InvalidFile                      everything wrong with a set of mapping files
└─ InvalidSecretFile                a file of keys or a token that cannot be used
StoreError                          where mappings are kept, nothing was written
├─ StoreUnavailable                 passing: disk full, table throttled; it may have been written
├─ StoreRefused                     it cannot be used as it is: locked, corrupt, from a newer version
├─ AlreadyMapped                    source and function have a mapping already
└─ VersionChanged                   another write was faster
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

# A sentence for people stays one line of a terminal or two; the wire text is never cut.
_LONGEST_SHOWN = 160


def shown(value: object) -> str:
    """Return `value` as a sentence quotes it: JSON, cut when long."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


class MappingError(Exception):
    """A refused request.

    `field` is the offending member in AWS spelling (`ScalingConfig.MaximumConcurrency`). `message` is what a
    client gets; `explanation` says more to the author of a mapping file where AWS's text says little.
    """

    status: ClassVar[int]
    message_member: ClassVar[str] = "message"
    type: ClassVar[str | None] = "User"

    def __init__(self, message: str, *, field: str | None = None, explanation: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.explanation = explanation

    @property
    def code(self) -> str:
        """What the header `x-amzn-ErrorType` says."""
        return type(self).__name__

    def body(self) -> dict[str, str]:
        """Return the JSON body that AWS answers with."""
        members = {self.message_member: self.message}
        return members if self.type is None else {"Type": self.type, **members}

    def sentences(self) -> tuple[str, ...]:
        """Say it to a person: one sentence per broken rule, each naming its field."""
        return (_naming(self.field, self.explanation or self.message),)


def _naming(field: str | None, sentence: str) -> str:
    return sentence if field is None or field in sentence else f"{field}: {sentence}"


class InvalidParameterValueException(MappingError):
    status = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One value that breaks one declared constraint; `path` holds member names and list indexes."""

    path: tuple[str | int, ...]
    value: object
    constraint: str
    explanation: str | None = None

    def __str__(self) -> str:
        """Return AWS's own form, such as `Value '0' at 'batchSize' failed to satisfy constraint: ...`."""
        return (
            f"Value {self._wire_value} at '{self._wire_path}' failed to satisfy constraint: {self.constraint}"
        )

    @property
    def field(self) -> str:
        """The place as the author of a file knows it, such as `FilterCriteria.Filters[0].Pattern`."""
        steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return "".join(steps).removeprefix(".")

    @property
    def sentence(self) -> str:
        return _naming(self.field, self.explanation or f"{shown(self.value)} is refused: {self.constraint}")

    @property
    def _wire_value(self) -> str:
        if self.value is None:
            return "null"
        text = self.value if isinstance(self.value, str) else json.dumps(self.value, default=str)
        return f"'{text}'"

    @property
    def _wire_path(self) -> str:
        steps = (f"{step + 1}.member" if isinstance(step, int) else _lower_first(step) for step in self.path)
        return ".".join(steps)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]


class ValidationException(MappingError):
    """Raised by AWS's front end, so it is not in the service model and has no `Type`."""

    status = 400
    type = None

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        count = len(self.violations)
        noun = "error" if count == 1 else "errors"
        super().__init__(
            f"{count} validation {noun} detected: {'; '.join(map(str, self.violations))}",
            field=self.violations[0].field,
        )

    def sentences(self) -> tuple[str, ...]:
        return tuple(violation.sentence for violation in self.violations)


class SerializationException(MappingError):
    """Raised by AWS's front end, as ValidationException is."""

    status = 400
    type = None


class UnknownOperationException(MappingError):
    """Raised by AWS's front end."""

    status = 404
    type = None


class ResourceConflictException(MappingError):
    status = 409


class ResourceInUseException(MappingError):
    status = 400
    message_member = "Message"


class ResourceNotFoundException(MappingError):
    status = 404
    message_member = "Message"


class MalformedHttpRequestException(MappingError):
    status = 400
    type = None


class MissingAuthenticationTokenException(MappingError):
    status = 403
    type = None


class IncompleteSignatureException(MappingError):
    status = 403
    type = None


class InvalidSignatureException(MappingError):
    status = 403
    type = None


class UnrecognizedClientException(MappingError):
    status = 403
    type = None


class AccessDeniedException(MappingError):
    status = 403
    message_member = "Message"
    type = None


class RequestTimeoutException(MappingError):
    status = 408
    type = None


class InvalidRequestContentException(MappingError):
    status = 400


class RequestTooLargeException(MappingError):
    status = 413


class RequestEntityTooLargeException(MappingError):
    status = 413
    type = None


class UnsupportedMediaTypeException(MappingError):
    status = 415


class TooManyRequestsException(MappingError):
    """`reason` is a value of AWS's ThrottleReason; `retry_after_s` goes into the header `Retry-After`."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: int, reason: str = "CallerRateLimitExceeded") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.reason = reason

    def body(self) -> dict[str, str]:
        return {**super().body(), "Reason": self.reason}


class ServiceException(MappingError):
    status = 500
    message_member = "Message"
    type = "Service"


class InvalidArn(ValueError):
    """A text is no ARN, or no function name; the message says what is wrong with it."""


class UnrecognizedEventSource(InvalidArn):
    """A well-formed ARN of something that is neither a queue nor a stream we poll."""


class IllegalTransition(ValueError):
    """A State change that AWS does not know: a mistake of the caller."""


class InvalidFile(ValueError):
    """Everything that is wrong with a set of mapping files, one sentence each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class InvalidSecretFile(ValueError):
    """A file of keys or a token cannot be used; the message names the file and never its content."""


class StoreError(Exception):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """A passing failure: what was asked may or may not have been written."""


class StoreRefused(StoreError):
    """The store cannot be used as it is."""


class AlreadyMapped(StoreError):
    """Another mapping stands in the way; `uuid` is its own."""

    def __init__(self, uuid: str) -> None:
        super().__init__(f"mapping {uuid} exists already")
        self.uuid = uuid


class VersionChanged(StoreError):
    """The mapping is not the one that was read: it was changed or removed since."""
