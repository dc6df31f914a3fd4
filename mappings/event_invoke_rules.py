"""What a destination of asynchronous invocations may be; in AWS's words where they are known."""

import re
from collections.abc import Mapping

from mappings.arns import Arn, FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidArn, InvalidParameterValueException
from mappings.home import NO_ACCOUNT

_RESOURCES: Mapping[str, re.Pattern[str]] = {
    "sqs": re.compile(r"[A-Za-z0-9_-]{1,80}"),
    "sns": re.compile(r"[A-Za-z0-9_-]{1,256}"),
    "events": re.compile(r"event-bus/[A-Za-z0-9._/-]{1,256}"),
    "s3": re.compile(r"[A-Za-z0-9._-]{1,255}"),
}


def check_destinations(function: str, given: Mapping[str, object], directory: FunctionDirectory) -> None:
    """Raise InvalidParameterValueException where a destination that is set can be none.

    Args:
        function: Whose destinations they are.
        given: Fields of EventInvokeConfig.
        directory: Which functions there are.
    """
    on_success, on_failure = _text(given.get("on_success")), _text(given.get("on_failure"))
    for arn, kinds in ((on_failure, {*_RESOURCES}), (on_success, {*_RESOURCES} - {"s3"})):
        if arn and not _is_destination(arn, kinds):
            raise InvalidParameterValueException(
                "The provided destination config DestinationConfig("
                f"onSuccess={_shown('OnSuccess', on_success)}, onFailure={_shown('OnFailure', on_failure)}"
                ") is invalid.",
                field="DestinationConfig",
            )
        if arn and Arn.parse(arn).service == "lambda":
            _check_function(arn, function, directory)


def _is_destination(text: str, kinds: set[str]) -> bool:
    try:
        arn = Arn.parse(text)
        if arn.service == "lambda":
            FunctionName.parse(text)
            return True
        if arn.service != "s3":
            arn.require("region", "account")
    except InvalidArn:
        return False
    return arn.service in kinds and _RESOURCES[arn.service].fullmatch(arn.resource) is not None


def _check_function(arn: str, function: str, directory: FunctionDirectory) -> None:
    name = FunctionName.parse(arn)
    if name.name == function and name.name in directory.listed:
        raise InvalidParameterValueException(
            "You can't specify the function as a destination for itself.", field="DestinationConfig"
        )
    found = directory.find(arn)
    # An account of zeros is nobody's at AWS: such a function is listed, or it is nowhere.
    if found is None or (name.account == NO_ACCOUNT and name.name not in directory.listed):
        raise InvalidParameterValueException(
            f"The destination ARN {arn} is invalid.", field="DestinationConfig"
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _shown(member: str, arn: str | None) -> str:
    return f"{member}(destination={arn})" if arn else "null"
