"""Invocations of functions of AWS Lambda: passed on as the client asked, answered as Lambda answers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from mappings.answers import JSON, Answer
from mappings.calls import Call
from mappings.errors import ServiceException
from mappings.functions import LambdaFunction, longest_run
from mappings.resolution import Resolved
from mappings.service_model import error_message_member
from poller.aws import Aws, error_code
from poller.core.payload import encode_json
from poller.invoking.answers import REQUEST_ID
from poller.targets.lambda_api import READ_TIMEOUT_MARGIN_S
from poller.targets.timeouts import FunctionTimeouts

_PASSED_ON = ("InvocationType", "LogType", "ClientContext", "TenantId", "DurableExecutionName")
_HEADERS = {
    "FunctionError": "X-Amz-Function-Error",
    "LogResult": "X-Amz-Log-Result",
    "ExecutedVersion": "X-Amz-Executed-Version",
    "DurableExecutionArn": "X-Amz-Durable-Execution-Arn",
}


async def pass_on(
    call: Call,
    function: LambdaFunction,
    found: Resolved,
    *,
    region: str,
    aws: Aws,
    timeouts: FunctionTimeouts,
) -> Answer:
    """Invoke a function of AWS Lambda.

    Args:
        call: What the client asked.
        function: The function, as the mapping file names it.
        found: How the client names it.
        region: Where it is, if its name does not say.
        aws: Session.
        timeouts: Tells how long the function may run.

    Raises:
        ServiceException: Lambda gave no answer.
    """
    name = replace(function.function, qualifier=function.function.qualifier or found.qualifier)
    region = name.region or region
    limit_s = longest_run(await timeouts.ask(function, found.arn)) + READ_TIMEOUT_MARGIN_S
    client = await aws.client("lambda", region, read_timeout_s=limit_s)
    given = {member: call.parameters[member] for member in _PASSED_ON if member in call.parameters}
    whole = (
        name.qualified_name
        if name.account is None
        else name.arn(region=region, account=name.account, partition="aws")
    )
    try:
        answer = await client.invoke(FunctionName=whole, Payload=call.payload, **given)
        async with answer["Payload"] as body:
            payload = await body.read()
    except ClientError as error:
        return _refused(error)
    except (HTTPClientError, BotoCoreError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ServiceException(f"AWS Lambda gave no answer: {type(error).__name__}") from error
    return _answered(answer, payload)


def _answered(answer: Mapping[str, Any], payload: bytes) -> Answer:
    headers = {header: answer[member] for member, header in _HEADERS.items() if answer.get(member)}
    if payload:
        headers["Content-Type"] = JSON
    return Answer(status=answer["StatusCode"], body=payload, headers={**headers, **_request_id(answer)})


def _refused(error: ClientError) -> Answer:
    """Say what Lambda said, spelt as it spells it."""
    code, response = error_code(error), error.response
    detail: Mapping[str, Any] = response.get("Error", {})
    members = {error_message_member(code): str(detail.get("Message", ""))}
    for member in ("Type", "Reason"):
        if member in response:
            members[member] = response[member]
    headers = {"Content-Type": JSON, "x-amzn-ErrorType": code, **_request_id(response)}
    metadata: Mapping[str, Any] = response.get("ResponseMetadata", {})
    retry_after = metadata.get("HTTPHeaders", {}).get("retry-after")
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    return Answer(status=metadata.get("HTTPStatusCode", 500), body=encode_json(members), headers=headers)


def _request_id(answer: Mapping[str, Any]) -> dict[str, str]:
    request_id = answer.get("ResponseMetadata", {}).get("RequestId")
    return {REQUEST_ID: request_id} if request_id else {}
