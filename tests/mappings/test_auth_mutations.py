"""100,000 changed requests: none that differs in what a signature covers is let in."""

import hashlib
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from mappings.auth import ReceivedRequest
from mappings.errors import MappingError
from mappings.sigv4 import SigV4
from tests.mappings.mutations import METHODS, MUTATIONS, meaning, signed_names
from tests.mappings.signing import COLLECTION, NOW, READER, TAGS, UUID, keys_file, signed

COUNT = 100_000
SEED = 6
BODY = json.dumps({"FunctionName": "audit", "BatchSize": 10, "Tags": {"größe": "日本"}}).encode()
JSON = {"Content-Type": "application/json", "X-Note": "a b,c"}
ONE = f"{COLLECTION}/{UUID}"
SIGNED = [
    signed("POST", COLLECTION, BODY, headers=JSON),
    signed("POST", COLLECTION, BODY, token="session-token"),
    signed("GET", ONE),
    signed("GET", f"{COLLECTION}?MaxItems=10&Marker=&FunctionName=audit", key=READER),
    signed("GET", f"{COLLECTION}?EventSourceArn=arn%3Aaws%3Asqs%3Aus-east-1%3A000000000000%3Aorders"),
    signed("PUT", ONE, BODY, headers={"Content-Length": str(len(BODY))}),
    signed("PUT", ONE, BODY, headers={"X-Amz-Content-SHA256": hashlib.sha256(BODY).hexdigest()}),
    signed("DELETE", ONE),
    signed("POST", TAGS, BODY, region="eu-west-1"),
    signed("DELETE", f"{TAGS}?tagKeys=a&tagKeys=b%20c"),
    signed("GET", TAGS, key=READER),
]


def test_no_changed_request_is_let_in(tmp_path: Path) -> None:
    """Method, path, query, headers, body, date, scope and signature, one to three changes at a time."""
    chance = random.Random(SEED)
    keys = SigV4(keys_file(tmp_path))
    told: Counter[str] = Counter()
    while told.total() < COUNT:
        original = chance.choice(SIGNED)
        mutant = original
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            mutant = chance.choice(MUTATIONS)(chance, mutant) if mutant.values("authorization") else mutant
        names = signed_names(original)
        if meaning(mutant, names) == meaning(original, names):
            continue
        told[refusal(keys, mutant)] += 1

    # Most of them are well formed, so that it is the signature that keeps them out.
    assert told["InvalidSignatureException"] > COUNT * 0.4, told


def refusal(keys: SigV4, mutant: ReceivedRequest) -> str:
    try:
        keys.authenticate(mutant, now=NOW)
    except MappingError as error:
        if error.status == 403:
            return error.code
        raise
    raise AssertionError(f"let in: {mutant.method} {mutant.target} {mutant.headers} {mutant.body!r}")


@pytest.mark.parametrize("index", range(len(SIGNED)))
def test_what_the_changes_start_from_is_let_in(tmp_path: Path, index: int) -> None:
    """Otherwise they would prove nothing."""
    assert SigV4(keys_file(tmp_path)).authenticate(SIGNED[index], now=NOW)


@pytest.mark.parametrize("method", METHODS)
def test_no_other_method_has_the_signature(tmp_path: Path, method: str) -> None:
    """Each of them, for each request."""
    keys = SigV4(keys_file(tmp_path))
    for request in SIGNED:
        if method != request.method:
            mutant = ReceivedRequest(
                method=method, target=request.target, headers=request.headers, body=request.body
            )
            assert refusal(keys, mutant)
