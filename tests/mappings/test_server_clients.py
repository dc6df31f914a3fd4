"""Real clients, signing over a real socket: boto3 and the AWS CLI."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio.from_thread
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from mappings.answers import Answer
from mappings.auth import Caller, ReceivedRequest
from mappings.schemes import make_authenticator
from mappings.server import ApiServer
from tests.mappings.raw_http import LOOPBACK, limits
from tests.mappings.signing import READER, UUID, WRITER, keys_file, token_file

QUEUE = "arn:aws:sqs:us-east-1:000000000000:größe-1"
MAPPING = f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{UUID}"
TAGS = {"größe": "日本 & more", "a/b": "c=d+e", "empty": ""}
AWS = Path(sys.executable).with_name("aws")
TOKEN = "0123456789abcdef" * 4


class Recorder:
    """Answers what SDKs can read, and keeps what reached it."""

    def __init__(self) -> None:
        self.seen: list[ReceivedRequest] = []
        self.callers: list[Caller] = []

    async def __call__(self, request: ReceivedRequest, caller: Caller) -> Answer:
        self.seen.append(request)
        self.callers.append(caller)
        if request.method != "GET" and "/tags/" in request.path:
            return Answer(status=204)
        headers = {"Content-Type": "application/json"}
        return Answer(status=200, body=json.dumps({"UUID": UUID, "Tags": TAGS}).encode(), headers=headers)


@contextmanager
def api(folder: Path, recorder: Recorder, **options: Any) -> Iterator[str]:
    """Serve in a thread of its own, because these clients block; yield the endpoint."""
    authenticator = make_authenticator(keys_file=keys_file(folder), token_file=token_file(folder, TOKEN))
    with anyio.from_thread.start_blocking_portal() as portal:
        server = ApiServer(recorder, authenticator, LOOPBACK, **options)
        with portal.wrap_async_context_manager(server):
            yield f"http://{server.address}"


def client(endpoint: str, key: tuple[str, str] = WRITER, **options: Any) -> Any:
    return boto3.client(
        "lambda",
        **{
            "endpoint_url": endpoint,
            "region_name": "eu-west-1",
            "aws_access_key_id": key[0],
            "aws_secret_access_key": key[1],
            "config": Config(retries={"total_max_attempts": 1}),
            **options,
        },
    )


def _read(answer: Any) -> Any:
    """To the end of the payload: until then it holds its connection."""
    answer["Payload"].read()
    return answer


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "create": lambda c: c.create_event_source_mapping(
        EventSourceArn=QUEUE,
        FunctionName="audit",
        Tags=TAGS,
        FilterCriteria={"Filters": [{"Pattern": '{"body":{"kind":["größe"]}}'}]},
    ),
    "get": lambda c: c.get_event_source_mapping(UUID=UUID),
    "list": lambda c: c.list_event_source_mappings(),
    "list filtered": lambda c: c.list_event_source_mappings(
        EventSourceArn=QUEUE, FunctionName="arn:aws:lambda:us-east-1:000000000000:function:a:live", MaxItems=3
    ),
    "list on": lambda c: c.list_event_source_mappings(Marker="a+b/c==&d ü", FunctionName="audit"),
    "list without a marker": lambda c: c.list_event_source_mappings(Marker=""),
    "update": lambda c: c.update_event_source_mapping(UUID=UUID, Enabled=False, BatchSize=7),
    "delete": lambda c: c.delete_event_source_mapping(UUID=UUID),
    "tag": lambda c: c.tag_resource(Resource=MAPPING, Tags=TAGS),
    "untag": lambda c: c.untag_resource(Resource=MAPPING, TagKeys=["größe", "a/b", "a b", "c&d"]),
    "list tags": lambda c: c.list_tags(Resource=MAPPING),
    "invoke": lambda c: _read(c.invoke(FunctionName="audit", Payload=b'{"a": 1}', ClientContext="e30=")),
    "get function": lambda c: c.get_function(FunctionName="audit", Qualifier="live"),
    "get configuration": lambda c: c.get_function_configuration(FunctionName="audit"),
}


def test_every_operation_of_boto3_is_let_in(tmp_path: Path) -> None:
    """Twice each, at once one after the other: within a second, botocore signs both alike."""
    recorder = Recorder()
    with api(tmp_path, recorder) as endpoint:
        boto = client(endpoint)
        for call in OPERATIONS.values():
            assert call(boto)["ResponseMetadata"]["HTTPStatusCode"] in {200, 204}
            assert call(boto)["ResponseMetadata"]["HTTPStatusCode"] in {200, 204}
        listed = boto.list_tags(Resource=MAPPING)["Tags"]

    assert len(recorder.seen) == 2 * len(OPERATIONS) + 1
    assert {caller.region for caller in recorder.callers} == {"eu-west-1"}
    created = json.loads(recorder.seen[0].body)
    assert created["Tags"] == TAGS
    assert listed == TAGS
    assert any("event-source-mapping%3A" in request.target for request in recorder.seen)


@pytest.mark.parametrize(
    "options",
    [
        {"aws_session_token": "session+token/with=signs"},
        {"region_name": "us-gov-west-1"},
        {"config": Config(user_agent_extra="größe  x", retries={"mode": "standard"})},
        {"config": Config(tcp_keepalive=True, max_pool_connections=1)},
    ],
)
def test_clients_that_are_set_up_otherwise_are_let_in(tmp_path: Path, options: dict[str, Any]) -> None:
    """Session tokens, other regions, other agents, and an endpoint with a slash at its end."""
    recorder = Recorder()
    with api(tmp_path, recorder) as endpoint:
        boto = client(f"{endpoint}/", **options)
        for name in ("create", "list on", "untag"):
            OPERATIONS[name](boto)

    assert len(recorder.seen) == 3


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ((WRITER[0], "x" * 40), "InvalidSignatureException"),
        (("AKIAUNKNOWN", WRITER[1]), "InvalidSignatureException"),
        (READER, "AccessDeniedException"),
    ],
)
def test_boto3_tells_its_user_why_it_was_refused(tmp_path: Path, key: tuple[str, str], code: str) -> None:
    """Code, status and request id are where SDKs look for them."""
    recorder = Recorder()
    with api(tmp_path, recorder) as endpoint, pytest.raises(ClientError) as raised:
        client(endpoint, key).delete_event_source_mapping(UUID=UUID)

    response = raised.value.response
    assert response["Error"]["Code"] == code
    assert response["Error"]["Message"]
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert response["ResponseMetadata"]["RequestId"]
    assert recorder.seen == []


def test_a_read_only_key_may_list(tmp_path: Path) -> None:
    """And get, and list tags."""
    recorder = Recorder()
    with api(tmp_path, recorder) as endpoint:
        for name in ("get", "list", "list tags", "get function"):
            OPERATIONS[name](client(endpoint, READER))

    assert [caller.read_only for caller in recorder.callers] == [True] * 4


def test_boto3_comes_again_when_it_is_too_fast(tmp_path: Path) -> None:
    """429 is an answer that it retries by itself, with the same signature if that is in the same second."""
    recorder = Recorder()
    with api(tmp_path, recorder, limits=limits(requests_per_second=5, burst=1)) as endpoint:
        boto = client(endpoint, config=Config(retries={"total_max_attempts": 5, "mode": "standard"}))
        for _ in range(2):
            OPERATIONS["delete"](boto)

    assert len(recorder.seen) == 2


def aws(endpoint: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **kept,
        "AWS_ACCESS_KEY_ID": WRITER[0],
        "AWS_SECRET_ACCESS_KEY": WRITER[1],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUTF8": "1",
    }
    return subprocess.run(
        [str(AWS), "--endpoint-url", endpoint, "lambda", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_aws_cli_is_let_in(tmp_path: Path) -> None:
    """With a body, and with an ARN in the path and values in the query."""
    recorder = Recorder()
    with api(tmp_path, recorder) as endpoint:
        create = aws(
            endpoint,
            "create-event-source-mapping",
            *("--function-name", "audit", "--event-source-arn", QUEUE, "--batch-size", "5"),
        )
        untag = aws(endpoint, "untag-resource", "--resource", MAPPING, "--tag-keys", "größe", "a b")

    assert (create.returncode, create.stderr) == (0, "")
    assert (untag.returncode, untag.stderr) == (0, "")
    assert json.loads(create.stdout)["UUID"] == UUID
    assert [request.method for request in recorder.seen] == ["POST", "DELETE"]
