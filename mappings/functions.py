"""What a FunctionName means in a mapping file: a handler that we host, a URL, or a function of AWS Lambda."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import TypedDict, cast
from urllib.parse import urlsplit

from mappings.arns import FunctionName
from mappings.errors import InvalidArn, InvalidFile, shown

# Nothing but this ends a handler of ours or a request. 30 s is the default visibility timeout of a queue: a
# batch is judged before its messages appear again.
DEFAULT_LOCAL_TIMEOUT_S = 30.0
# Lambda ends its functions itself, after 900 s at most; giving up earlier would repeat a batch in work.
DEFAULT_LAMBDA_TIMEOUT_S = 900.0
MINIMUM_TIMEOUT_S = 1
MAXIMUM_TIMEOUT_S = 900
# Lambda's default quota of concurrent executions per account and region.
MAXIMUM_CONCURRENCY = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFunction:
    """A Python handler `package.module:function`; `concurrency` batches of it run at once."""

    name: str
    handler: str
    timeout: float = DEFAULT_LOCAL_TIMEOUT_S
    concurrency: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlFunction:
    """An HTTP server that takes the Lambda event as the body of a POST."""

    name: str
    url: str
    timeout: float = DEFAULT_LOCAL_TIMEOUT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaFunction:
    """A function behind Lambda's Invoke API."""

    name: str
    function: FunctionName
    timeout: float = DEFAULT_LAMBDA_TIMEOUT_S
    timeout_known: bool = False
    """Whether `timeout` is the function's own and not only how long its answer is waited for."""


Function = HandlerFunction | UrlFunction | LambdaFunction

_Written = TypedDict(
    "_Written",
    {"handler": str, "url": str, "lambda": str, "timeout": float, "concurrency": int},
    total=False,
)
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "handler": ("timeout", "concurrency"),
    "url": ("timeout",),
    "lambda": ("timeout",),
}


def known_timeout(function: Function) -> float | None:
    """Return the function's own timeout in seconds, or None where only Lambda knows it."""
    if isinstance(function, LambdaFunction) and not function.timeout_known:
        return None
    return function.timeout


def parse_function(name: str, value: object) -> Function:
    """Read one entry of `functions`; raise InvalidFile with everything that is wrong with it."""
    problems = [*_name_problems(name), *_problems(value)]
    if problems:
        raise InvalidFile(problems)
    written = cast("_Written", value)
    local_timeout = float(written.get("timeout", DEFAULT_LOCAL_TIMEOUT_S))
    if "handler" in written:
        concurrency = written.get("concurrency", 1)
        return HandlerFunction(
            name=name, handler=written["handler"], timeout=local_timeout, concurrency=concurrency
        )
    if "url" in written:
        return UrlFunction(name=name, url=written["url"], timeout=local_timeout)
    timeout = float(written.get("timeout", DEFAULT_LAMBDA_TIMEOUT_S))
    return LambdaFunction(
        name=name,
        function=FunctionName.parse(written["lambda"]),
        timeout=timeout,
        timeout_known="timeout" in written,
    )


def _name_problems(name: str) -> Iterator[str]:
    try:
        parsed = FunctionName.parse(name)
    except InvalidArn as error:
        yield str(error)
        return
    if parsed.name != name:
        yield f"{shown(name)} is more than a bare name, and only a bare name can be defined here"


def _problems(value: object) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"a function must be an object with one of handler, url and lambda, not {shown(value)}"
        return
    kinds = [kind for kind in _OPTIONS if kind in value]
    if len(kinds) != 1:
        yield f"exactly one of handler, url and lambda must be given, not {' and '.join(kinds) or 'none'}"
        return
    kind = kinds[0]
    for key in value:
        if key != kind and key not in _OPTIONS[kind]:
            yield f"{key} is not an option of a {kind} function, which takes {', '.join(_OPTIONS[kind])}"
    checked = [key for key in (kind, *_OPTIONS[kind]) if key in value]
    for key in checked:
        if problem := _CHECKS[key](value[key]):
            given = re.sub("//.*@", "//...@", shown(value[key]))  # a password must not reach the log
            yield f"{key} {given} is not {problem}"


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
    valid = whole and 1 <= cast("int", value) <= MAXIMUM_CONCURRENCY
    return None if valid else f"a whole number between 1 and {MAXIMUM_CONCURRENCY}"


# Each says what a right value is, if this one is wrong.
_CHECKS: Mapping[str, Callable[[object], str | None]] = {
    "handler": _check_handler,
    "url": _check_url,
    "lambda": _check_lambda,
    "timeout": _check_timeout,
    "concurrency": _check_concurrency,
}
