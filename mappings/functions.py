"""What a FunctionName means in a mapping file: a handler that we host, a URL, or a function of AWS Lambda."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from mappings.arns import FunctionName
from mappings.errors import InvalidArn, InvalidFile, shown
from mappings.function_options import LATEST, MAXIMUM_TIMEOUT_S, OPTIONS, option_problem

# Nothing but this ends a handler of ours or a request. 30 s is the default visibility timeout of a queue: a
# batch is judged before its messages appear again.
DEFAULT_LOCAL_TIMEOUT_S = 30.0
# What most functions of AWS Lambda may be given. A process that ends does not wait for longer where nobody
# says how long the function takes.
PLANNED_LAMBDA_TIMEOUT_S = 900.0

Aliases = tuple[tuple[str, str], ...]
"""Each alias and the version it names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFunction:
    """A Python handler `package.module:function`; `concurrency` of its invocations run at once."""

    name: str
    handler: str
    timeout: float = DEFAULT_LOCAL_TIMEOUT_S
    concurrency: int = 1
    reserved: bool = True
    """Whether the file gives `concurrency`. Where it does not, one invocation runs at a time all the same."""
    aliases: Aliases = ()
    dead_letter: str | None = None
    """Queue or topic for asynchronous events that were given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlFunction:
    """An HTTP server that takes the Lambda event as the body of a POST."""

    name: str
    url: str
    timeout: float = DEFAULT_LOCAL_TIMEOUT_S
    concurrency: int | None = None
    """Invocations that may run at once; None for any number."""
    aliases: Aliases = ()
    dead_letter: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaFunction:
    """A function behind Lambda's Invoke API."""

    name: str
    function: FunctionName
    timeout: float | None = None
    """None where only Lambda knows it."""


Function = HandlerFunction | UrlFunction | LambdaFunction

_Written = TypedDict(
    "_Written",
    {
        "handler": str,
        "url": str,
        "lambda": str,
        "timeout": float,
        "concurrency": int,
        "aliases": Mapping[str, str],
        "dead_letter": str,
    },
    total=False,
)


def planned_timeout(timeout: float | None) -> float:
    """Return how long a drain lets a function run, whose timeout is None where it is not known."""
    return PLANNED_LAMBDA_TIMEOUT_S if timeout is None else timeout


def longest_run(timeout: float | None) -> float:
    """Return how long an answer is waited for: Lambda ends its functions, and no batch is to run twice."""
    return float(MAXIMUM_TIMEOUT_S) if timeout is None else timeout


def concurrency_of(function: Function) -> int | None:
    """Return how many of its invocations may run at once here; None for any number."""
    return None if isinstance(function, LambdaFunction) else function.concurrency


def version_of(function: Function, qualifier: str | None) -> str | None:
    """Return the version that a qualifier means; None where the function has no such version or alias.

    A function of ours has `$LATEST`, its aliases, and the versions that these name. Which versions a function
    of AWS Lambda has, Lambda tells; an alias stands for itself here.
    """
    if isinstance(function, LambdaFunction):
        return _version_of_lambda(function.function.qualifier, qualifier)
    aliases = dict(function.aliases)
    if qualifier in aliases:
        return aliases[qualifier]
    versions = {LATEST, *aliases.values()}
    asked = qualifier or LATEST
    return asked if asked in versions else None


def _version_of_lambda(listed: str | None, asked: str | None) -> str | None:
    if listed is not None and asked not in {None, listed}:
        return None
    return asked or listed or LATEST


def parse_function(name: str, value: object) -> Function:
    """Read one entry of `functions`; raise InvalidFile with everything that is wrong with it."""
    problems = [*_name_problems(name), *_problems(value)]
    if problems:
        raise InvalidFile(problems)
    written = cast("_Written", value)
    if "lambda" in written:
        return LambdaFunction(
            name=name,
            function=FunctionName.parse(written["lambda"]),
            timeout=float(written["timeout"]) if "timeout" in written else None,
        )
    timeout = float(written.get("timeout", DEFAULT_LOCAL_TIMEOUT_S))
    aliases = tuple(sorted(written.get("aliases", {}).items()))
    dead_letter = written.get("dead_letter")
    if "handler" in written:
        return HandlerFunction(
            name=name,
            handler=written["handler"],
            timeout=timeout,
            concurrency=written.get("concurrency", 1),
            reserved="concurrency" in written,
            aliases=aliases,
            dead_letter=dead_letter,
        )
    return UrlFunction(
        name=name,
        url=written["url"],
        timeout=timeout,
        concurrency=written.get("concurrency"),
        aliases=aliases,
        dead_letter=dead_letter,
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
    kinds = [kind for kind in OPTIONS if kind in value]
    if len(kinds) != 1:
        yield f"exactly one of handler, url and lambda must be given, not {' and '.join(kinds) or 'none'}"
        return
    kind = kinds[0]
    for key in value:
        if key != kind and key not in OPTIONS[kind]:
            yield f"{key} is not an option of a {kind} function, which takes {', '.join(OPTIONS[kind])}"
    for key in (kind, *OPTIONS[kind]):
        problem = option_problem(key, value[key]) if key in value else None
        if problem is not None:
            yield problem
