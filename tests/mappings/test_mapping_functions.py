"""The `functions` section: three kinds, their options, and every way to get one wrong."""

import pytest

from mappings.arns import FunctionName
from mappings.errors import InvalidFile
from mappings.functions import (
    Function,
    HandlerFunction,
    LambdaFunction,
    UrlFunction,
    parse_function,
    version_of,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"handler": "app.audit:handler"},
            HandlerFunction(name="f", handler="app.audit:handler", timeout=30, concurrency=1, reserved=False),
        ),
        (
            {"handler": "audit:handler", "timeout": 1, "concurrency": 1000},
            HandlerFunction(name="f", handler="audit:handler", timeout=1, concurrency=1000),
        ),
        (
            {
                "handler": "audit:handler",
                "concurrency": 0,
                "aliases": {"live": "3", "beta": "$LATEST"},
                "dead_letter": "arn:aws:sqs:us-east-1:000000000000:dead",
            },
            HandlerFunction(
                name="f",
                handler="audit:handler",
                concurrency=0,
                aliases=(("beta", "$LATEST"), ("live", "3")),
                dead_letter="arn:aws:sqs:us-east-1:000000000000:dead",
            ),
        ),
        (
            {"url": "http://127.0.0.1:3000/events", "concurrency": 7},
            UrlFunction(name="f", url="http://127.0.0.1:3000/events", concurrency=7),
        ),
        (
            {"url": "http://127.0.0.1:3000/events"},
            UrlFunction(name="f", url="http://127.0.0.1:3000/events", timeout=30),
        ),
        (
            {"url": "https://example.com", "timeout": 2.5},
            UrlFunction(name="f", url="https://example.com", timeout=2.5),
        ),
        (
            {"lambda": "billing:live"},
            LambdaFunction(name="f", function=FunctionName(name="billing", qualifier="live")),
        ),
        (
            {"lambda": "arn:aws:lambda:eu-west-1:123456789012:function:billing", "timeout": 5400},
            LambdaFunction(
                name="f",
                function=FunctionName(
                    name="billing", region="eu-west-1", account="123456789012", partition="aws"
                ),
                timeout=5400,
            ),
        ),
    ],
)
def test_a_function_is_read_with_its_defaults(value: object, expected: Function) -> None:
    """30 s for what runs beside us, what Lambda says of its own, one batch at a time for a handler."""
    assert parse_function("f", value) == expected


HANDLER = 'is not of the form "package.module:function"'
URL = "is not of the form http://host[:port][/path] or https://host[:port][/path]"
TIMEOUT = "is not between 1 and 5400 seconds"
CONCURRENCY = "is not a whole number between 0 and 1000"
ALIASES = (
    'is not an object of aliases and their versions, such as {"live": "3"}: an alias has letters, digits, '
    'hyphens and underscores and is no number, a version is a whole number in quotes or "$LATEST"'
)
DEAD_LETTER = "is not the ARN of a standard SQS queue or a standard SNS topic"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("app:f", 'a function must be an object with one of handler, url and lambda, not "app:f"'),
        ({}, "exactly one of handler, url and lambda must be given, not none"),
        ({"image": "x"}, "exactly one of handler, url and lambda must be given, not none"),
        (
            {"handler": "a:b", "url": "http://a"},
            "exactly one of handler, url and lambda must be given, not handler and url",
        ),
        (
            {"handler": "a:b", "memory": 1},
            (
                "memory is not an option of a handler function, "
                "which takes timeout, concurrency, aliases, dead_letter"
            ),
        ),
        (
            {"url": "http://a", "handlers": 2},
            (
                "handlers is not an option of a url function, "
                "which takes timeout, concurrency, aliases, dead_letter"
            ),
        ),
        (
            {"lambda": "a", "aliases": {}},
            "aliases is not an option of a lambda function, which takes timeout",
        ),
        (
            {"lambda": "a", "concurrency": 2},
            "concurrency is not an option of a lambda function, which takes timeout",
        ),
        ({"handler": "app.audit.handler"}, f'handler "app.audit.handler" {HANDLER}'),
        ({"handler": "app/audit.py:handler"}, f'handler "app/audit.py:handler" {HANDLER}'),
        ({"handler": "app:class"}, f'handler "app:class" {HANDLER}'),
        ({"handler": ":f"}, f'handler ":f" {HANDLER}'),
        ({"handler": 5}, f"handler 5 {HANDLER}"),
        ({"url": "ftp://host/"}, f'url "ftp://host/" {URL}'),
        ({"url": "http:///path"}, f'url "http:///path" {URL}'),
        ({"url": "http://host:99999/"}, f'url "http://host:99999/" {URL}'),
        ({"url": "http://host:0/"}, f'url "http://host:0/" {URL}'),
        ({"url": "http://a b/"}, f'url "http://a b/" {URL}'),
        ({"url": ["http://a"]}, f'url ["http://a"] {URL}'),
        (
            {"url": "http://user:secret@host/"},
            'url "http://...@host/" is not free of a user name, a password and a fragment',
        ),
        (
            {"url": "http://host/#a"},
            'url "http://host/#a" is not free of a user name, a password and a fragment',
        ),
        (
            {"lambda": "https://host"},
            (
                'lambda "https://host" is not a function name (name, name:qualifier, account:function:name) '
                "or the ARN of a Lambda function"
            ),
        ),
        (
            {"lambda": 5},
            (
                "lambda 5 is not a function name (name, name:qualifier, account:function:name) "
                "or the ARN of a Lambda function"
            ),
        ),
        ({"url": "http://a", "timeout": 0.5}, f"timeout 0.5 {TIMEOUT}"),
        ({"url": "http://a", "timeout": 5401}, f"timeout 5401 {TIMEOUT}"),
        ({"url": "http://a", "timeout": "30"}, f'timeout "30" {TIMEOUT}'),
        ({"url": "http://a", "timeout": True}, f"timeout true {TIMEOUT}"),
        ({"url": "http://a", "timeout": float("nan")}, f"timeout NaN {TIMEOUT}"),
        ({"handler": "a:b", "concurrency": -1}, f"concurrency -1 {CONCURRENCY}"),
        ({"handler": "a:b", "aliases": ["live"]}, f'aliases ["live"] {ALIASES}'),
        ({"handler": "a:b", "aliases": {"live": 3}}, f'aliases {{"live": 3}} {ALIASES}'),
        ({"handler": "a:b", "aliases": {"live": "0"}}, f'aliases {{"live": "0"}} {ALIASES}'),
        ({"handler": "a:b", "aliases": {"live": "beta"}}, f'aliases {{"live": "beta"}} {ALIASES}'),
        ({"handler": "a:b", "aliases": {"7": "3"}}, f'aliases {{"7": "3"}} {ALIASES}'),
        ({"url": "http://a", "aliases": {"$LATEST": "3"}}, f'aliases {{"$LATEST": "3"}} {ALIASES}'),
        ({"url": "http://a", "dead_letter": "queue"}, f'dead_letter "queue" {DEAD_LETTER}'),
        (
            {"url": "http://a", "dead_letter": "arn:aws:s3:::bucket"},
            f'dead_letter "arn:aws:s3:::bucket" {DEAD_LETTER}',
        ),
        (
            {"url": "http://a", "dead_letter": "arn:aws:sqs:us-east-1:000000000000:q.fifo"},
            f'dead_letter "arn:aws:sqs:us-east-1:000000000000:q.fifo" {DEAD_LETTER}',
        ),
        ({"handler": "a:b", "concurrency": 1001}, f"concurrency 1001 {CONCURRENCY}"),
        ({"handler": "a:b", "concurrency": 1.5}, f"concurrency 1.5 {CONCURRENCY}"),
        ({"handler": "a:b", "concurrency": True}, f"concurrency true {CONCURRENCY}"),
    ],
)
def test_a_wrong_function_is_refused_in_one_sentence(value: object, problem: str) -> None:
    """The sentence says what was given and what would be right; a password is not repeated."""
    with pytest.raises(InvalidFile) as refused:
        parse_function("f", value)

    assert refused.value.problems == (problem,)


@pytest.mark.parametrize(
    "name", ["audit:live", "function:audit", "arn:aws:lambda:us-east-1:000000000000:function:f"]
)
def test_only_a_bare_name_can_be_defined(name: str) -> None:
    """A qualifier or an account belongs to AWS Lambda's functions, not to ours."""
    with pytest.raises(
        InvalidFile, match="is more than a bare name, and only a bare name can be defined here"
    ):
        parse_function(name, {"url": "http://a"})


def test_all_problems_of_a_function_are_found() -> None:
    """The author mends name, unknown option, handler and timeout in one go."""
    with pytest.raises(InvalidFile) as refused:
        parse_function("a b", {"handler": "x", "timeout": 0, "memory": 1})

    assert [problem.split()[0] for problem in refused.value.problems] == [
        '"a',
        "memory",
        "handler",
        "timeout",
    ]


ALIASED = HandlerFunction(name="f", handler="a:b", aliases=(("beta", "$LATEST"), ("live", "3")))
QUALIFIED = LambdaFunction(name="f", function=FunctionName(name="f", qualifier="live"))


@pytest.mark.parametrize(
    ("function", "qualifier", "version"),
    [
        (ALIASED, None, "$LATEST"),
        (ALIASED, "$LATEST", "$LATEST"),
        (ALIASED, "live", "3"),
        (ALIASED, "beta", "$LATEST"),
        (ALIASED, "3", "3"),
        (ALIASED, "4", None),
        (ALIASED, "other", None),
        (UrlFunction(name="f", url="http://a"), "live", None),
        (LambdaFunction(name="f", function=FunctionName(name="f")), "live", "live"),
        (LambdaFunction(name="f", function=FunctionName(name="f")), None, "$LATEST"),
        (QUALIFIED, None, "live"),
        (QUALIFIED, "live", "live"),
        (QUALIFIED, "beta", None),
    ],
)
def test_a_qualifier_means_a_version(function: Function, qualifier: str | None, version: str | None) -> None:
    """`$LATEST` always, an alias its version, a version that an alias names; Lambda knows its own."""
    assert version_of(function, qualifier) == version
