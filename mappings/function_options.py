"""What each option of a `functions` entry may be, and how a wrong one is told."""

import re
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import cast
from urllib.parse import urlsplit

from mappings.arns import Arn, FunctionName
from mappings.errors import InvalidArn, shown
from mappings.service_model import shape

MINIMUM_TIMEOUT_S = 1
# The service model's for a function on Managed Instances; others run for less.
MAXIMUM_TIMEOUT_S = 5400
# Lambda's default quota of concurrent executions per account and region.
MAXIMUM_CONCURRENCY = 1000
LATEST = "$LATEST"

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "handler": ("timeout", "concurrency", "aliases", "dead_letter"),
    "url": ("timeout", "concurrency", "aliases", "dead_letter"),
    # Lambda itself knows the rest.
    "lambda": ("timeout",),
}
_VERSION = re.compile(r"\$LATEST|[1-9][0-9]{0,17}")
_DEAD_LETTER_NAMES = {"sqs": re.compile(r"[A-Za-z0-9_-]{1,80}"), "sns": re.compile(r"[A-Za-z0-9_-]{1,256}")}


def option_problem(key: str, value: object) -> str | None:
    """Return the sentence about a wrong value; None for a right one."""
    problem = _CHECKS[key](value)
    if problem is None:
        return None
    given = re.sub("//.*@", "//...@", shown(value))  # a password must not reach the log
    return f"{key} {given} is not {problem}"


def _check_handler(value: object) -> str | None:
    module, _, function = value.partition(":") if isinstance(value, str) else ("", "", "")
    names = (*module.split("."), function)
    valid = all(name.isidentifier() and not iskeyword(name) for name in names)
    return None if valid else 'of the form "package.module:function"'


def _check_url(value: object) -> str | None:
    try:
        url = urlsplit(value if isinstance(value, str) else "")
        valid = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        valid = False
    if not valid or any(char.isspace() for char in str(value)):
        return "of the form http://host[:port][/path] or https://host[:port][/path]"
    return "free of a user name, a password and a fragment" if "@" in url.netloc or url.fragment else None


def _check_lambda(value: object) -> str | None:
    try:
        FunctionName.parse(value if isinstance(value, str) else "")
    except InvalidArn:
        return "a function name (name, name:qualifier, account:function:name) or the ARN of a Lambda function"
    return None


def _check_timeout(value: object) -> str | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    valid = number and MINIMUM_TIMEOUT_S <= cast("float", value) <= MAXIMUM_TIMEOUT_S
    return None if valid else f"between {MINIMUM_TIMEOUT_S} and {MAXIMUM_TIMEOUT_S} seconds"


def _check_concurrency(value: object) -> str | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    valid = whole and 0 <= cast("int", value) <= MAXIMUM_CONCURRENCY
    return None if valid else f"a whole number between 0 and {MAXIMUM_CONCURRENCY}"


def _check_aliases(value: object) -> str | None:
    if isinstance(value, Mapping) and all(_is_alias(name, version) for name, version in value.items()):
        return None
    return (
        'an object of aliases and their versions, such as {"live": "3"}: an alias has letters, digits, '
        'hyphens and underscores and is no number, a version is a whole number in quotes or "$LATEST"'
    )


def _is_alias(name: object, version: object) -> bool:
    if not isinstance(name, str) or not isinstance(version, str):
        return False
    declared = shape("Alias")
    named = len(name) <= declared["max"] and re.fullmatch(declared["pattern"], name)
    return bool(named and _VERSION.fullmatch(version))


def _check_dead_letter(value: object) -> str | None:
    try:
        arn = Arn.parse(value if isinstance(value, str) else "")
        arn.require("region", "account")
        valid = arn.service in _DEAD_LETTER_NAMES and _DEAD_LETTER_NAMES[arn.service].fullmatch(arn.resource)
    except InvalidArn:
        valid = None
    return None if valid else "the ARN of a standard SQS queue or a standard SNS topic"


# Each says what a right value is, if this one is wrong.
_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "handler": _check_handler,
    "url": _check_url,
    "lambda": _check_lambda,
    "timeout": _check_timeout,
    "concurrency": _check_concurrency,
    "aliases": _check_aliases,
    "dead_letter": _check_dead_letter,
}
