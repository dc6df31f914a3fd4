"""The handlers of `handler:` functions: each passes its event on to the world, which keeps the history."""

from tests.kill.plan import QUEUE, STREAM, TABLE

URL_VARIABLE = "KILL_FUNCTIONS_URL"

HANDLERS = f"""
import json, os, urllib.request


def _run(place, event, context):
    request = urllib.request.Request(
        f"{{os.environ['{URL_VARIABLE}']}}/{{place}}",
        data=json.dumps(event).encode(),
        headers={{"Lambda-Runtime-Aws-Request-Id": context.aws_request_id}},
    )
    with urllib.request.urlopen(request) as response:
        body = response.read()
    try:
        return json.loads(body) if body else None
    except ValueError:
        return "no JSON"


def {QUEUE}(event, context):
    return _run("{QUEUE}", event, context)


def {STREAM}(event, context):
    return _run("{STREAM}", event, context)


def {TABLE}(event, context):
    return _run("{TABLE}", event, context)
"""
