"""What AWS's clients see of an error, and what the author of a file reads."""

import pytest

from mappings.errors import (
    AccessDeniedException,
    InvalidFile,
    InvalidParameterValueException,
    InvalidSignatureException,
    MappingError,
    RequestTooLargeException,
    ResourceConflictException,
    ResourceInUseException,
    ResourceNotFoundException,
    ServiceException,
    TooManyRequestsException,
    UnsupportedMediaTypeException,
    ValidationException,
    Violation,
    shown,
)


@pytest.mark.parametrize(
    ("error", "code", "status", "body"),
    [
        (
            InvalidParameterValueException("m"),
            "InvalidParameterValueException",
            400,
            {"Type": "User", "message": "m"},
        ),
        (ResourceConflictException("m"), "ResourceConflictException", 409, {"Type": "User", "message": "m"}),
        (ResourceInUseException("m"), "ResourceInUseException", 400, {"Type": "User", "Message": "m"}),
        (ResourceNotFoundException("m"), "ResourceNotFoundException", 404, {"Type": "User", "Message": "m"}),
        (RequestTooLargeException("m"), "RequestTooLargeException", 413, {"Type": "User", "message": "m"}),
        (
            UnsupportedMediaTypeException("m"),
            "UnsupportedMediaTypeException",
            415,
            {"Type": "User", "message": "m"},
        ),
        (AccessDeniedException("m"), "AccessDeniedException", 403, {"Message": "m"}),
        (InvalidSignatureException("m"), "InvalidSignatureException", 403, {"message": "m"}),
        (ServiceException("m"), "ServiceException", 500, {"Type": "Service", "Message": "m"}),
        (
            TooManyRequestsException("m", retry_after_s=1),
            "TooManyRequestsException",
            429,
            {"Type": "User", "message": "m", "Reason": "CallerRateLimitExceeded"},
        ),
    ],
)
def test_each_error_has_the_code_status_and_members_of_aws(
    error: MappingError, code: str, status: int, body: dict[str, str]
) -> None:
    """Code, status and body are those of the service model, down to the case of `message`."""
    assert (error.code, error.status, error.body()) == (code, status, body)


def test_a_validation_error_has_no_type() -> None:
    """ValidationException comes from AWS's front end, whose errors have a message alone."""
    error = ValidationException([Violation(path=("BatchSize",), value=0, constraint="C")])

    assert (error.code, error.status) == ("ValidationException", 400)
    assert list(error.body()) == ["message"]


def test_several_violations_are_counted_and_joined() -> None:
    """AWS reports all broken constraints in one text."""
    error = ValidationException(
        [
            Violation(path=("BatchSize",), value=0, constraint="A"),
            Violation(path=("Enabled",), value="x", constraint="B"),
        ]
    )

    assert error.message == (
        "2 validation errors detected: Value '0' at 'batchSize' failed to satisfy constraint: A; "
        "Value 'x' at 'enabled' failed to satisfy constraint: B"
    )
    assert error.field == "BatchSize"
    assert error.sentences() == ("BatchSize: 0 is refused: A", 'Enabled: "x" is refused: B')


def test_a_place_in_a_list_is_counted_from_one_on_the_wire_and_from_zero_in_a_file() -> None:
    """AWS writes `filters.1.member`, a person looks for `Filters[0]`."""
    violation = Violation(path=("FilterCriteria", "Filters", 0, "Pattern"), value=True, constraint="C")

    assert str(violation) == (
        "Value 'true' at 'filterCriteria.filters.1.member.pattern' failed to satisfy constraint: C"
    )
    assert violation.field == "FilterCriteria.Filters[0].Pattern"


def test_null_is_printed_without_quotes() -> None:
    """AWS writes `Value null at`."""
    violation = Violation(path=("FunctionName",), value=None, constraint="C")

    assert str(violation) == "Value null at 'functionName' failed to satisfy constraint: C"


def test_a_sentence_prefers_the_explanation_and_names_the_field_once() -> None:
    """A person gets the clearer text, with the field in front only where the text does not name it."""
    unclear = InvalidParameterValueException("m", field="EventSourceArn", explanation="it is missing")
    named = InvalidParameterValueException("EventSourceArn is odd", field="EventSourceArn")

    assert unclear.sentences() == ("EventSourceArn: it is missing",)
    assert named.sentences() == ("EventSourceArn is odd",)


def test_a_long_value_is_cut_in_a_sentence() -> None:
    """A sentence stays readable, whatever was given."""
    assert len(shown("x" * 10_000)) < 170


def test_an_invalid_file_keeps_every_problem() -> None:
    """The text has one line per problem."""
    error = InvalidFile(["a", "b"])

    assert error.problems == ("a", "b")
    assert str(error) == "a\nb"
