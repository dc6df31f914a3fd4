"""One function has one ARN, however a mapping names it."""

from pathlib import Path

import pytest

from mappings.arns import EventSource, FunctionName
from mappings.directory import FunctionDirectory
from mappings.errors import InvalidFile
from mappings.files import read_mapping_files
from mappings.functions import Function, HandlerFunction, LambdaFunction
from mappings.home import Home
from mappings.validation import mapping_from_request

SOURCE = EventSource.parse("arn:aws:sqs:eu-west-1:123456789012:orders")
LAMBDA = "arn:aws:lambda:us-west-2:123456789012:function:billing-v2"
LISTED: dict[str, Function] = {
    "audit": HandlerFunction(name="audit", handler="app:handler", aliases=(("live", "3"),)),
    "billing": LambdaFunction(name="billing", function=FunctionName.parse(LAMBDA)),
    "near": LambdaFunction(name="near", function=FunctionName.parse("near-v2:live")),
}


@pytest.mark.parametrize(
    ("home", "name", "arn"),
    [
        (Home(), "audit", "arn:aws:lambda:us-east-1:000000000000:function:audit"),
        (Home(region="eu-west-1"), "audit:live", "arn:aws:lambda:eu-west-1:000000000000:function:audit:live"),
        (
            Home(region="cn-north-1"),
            "audit",
            "arn:aws-cn:lambda:cn-north-1:000000000000:function:audit",
        ),
        (Home(account="210987654321"), "audit", "arn:aws:lambda:us-east-1:000000000000:function:audit"),
        (Home(), "billing", LAMBDA),
        (Home(), "billing:live", f"{LAMBDA}:live"),
        (Home(), LAMBDA, LAMBDA),
        (Home(), "near", "arn:aws:lambda:eu-west-1:123456789012:function:near-v2:live"),
        (
            Home(account="210987654321"),
            "near",
            "arn:aws:lambda:eu-west-1:210987654321:function:near-v2:live",
        ),
        (Home(), "unlisted", "arn:aws:lambda:eu-west-1:123456789012:function:unlisted"),
        (
            Home(account="210987654321"),
            "unlisted",
            "arn:aws:lambda:eu-west-1:210987654321:function:unlisted",
        ),
    ],
)
def test_a_name_becomes_the_arn_of_what_is_invoked(home: Home, name: str, arn: str) -> None:
    """Hosted: the poller's region and no account. A bare name of Lambda: the source's region, own account."""
    assert FunctionDirectory(LISTED, home=home).arn_of(name, SOURCE) == arn


def test_a_file_that_names_a_hosted_function_elsewhere_is_refused(tmp_path: Path) -> None:
    """With the ARN that it has, and how to mend it."""
    file = tmp_path / "m.yaml"
    file.write_text(
        'functions: {audit: {handler: "app:handler"}}\n'
        "mappings:\n"
        f"  - EventSourceArn: {SOURCE.arn}\n"
        "    FunctionName: arn:aws:lambda:eu-west-1:123456789012:function:audit\n"
    )

    with pytest.raises(InvalidFile) as refused:
        read_mapping_files([file], now=0.0)
    with pytest.raises(InvalidFile):
        read_mapping_files([file], now=0.0, home=Home(region="eu-west-1"))

    (problem,) = refused.value.problems
    assert "arn:aws:lambda:us-east-1:000000000000:function:audit: write audit" in problem


def test_a_mapping_of_a_file_keeps_its_uuid_wherever_the_poller_is() -> None:
    """Its checkpoints belong to the UUID."""
    request = {"EventSourceArn": SOURCE.arn, "FunctionName": "audit"}
    made = [
        mapping_from_request(request, now=0.0, directory=FunctionDirectory(LISTED, home=home))
        for home in (Home(), Home(region="eu-west-1"))
    ]

    assert made[0].function_arn != made[1].function_arn
    assert made[0].uuid == made[1].uuid == mapping_from_request(request, now=0.0).uuid
