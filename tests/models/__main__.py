"""Print what the locked botocore changes in the models beside the one that is installed (`make lock`)."""

import gzip
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import botocore

from tests.models.changes import changes

MODELS = {
    "lambda": "2015-03-31",
    "sqs": "2012-11-05",
    "kinesis": "2013-12-02",
    "dynamodb": "2012-08-10",
    "dynamodbstreams": "2012-08-10",
}
LOCK = Path(__file__).parents[2] / "requirements.lock"


def installed(service: str) -> Mapping[str, Any]:
    """The model of the botocore that runs here."""
    folder = Path(botocore.__path__[0]) / "data" / service / MODELS[service]
    (path,) = folder.glob("service-2.json*")
    return _parsed(path.name, path.read_bytes())


def of_wheel(wheel: zipfile.ZipFile, service: str) -> Mapping[str, Any]:
    """The model in a wheel."""
    start = f"botocore/data/{service}/{MODELS[service]}/service-2.json"
    (name,) = [each for each in wheel.namelist() if each.startswith(start)]
    return _parsed(name, wheel.read(name))


def locked_version() -> str:
    """Which botocore the lock names."""
    found = re.search(r"^botocore==([0-9.]+)", LOCK.read_text(), re.MULTILINE)
    assert found is not None, f"{LOCK} names no botocore"
    return found[1]


def _parsed(name: str, content: bytes) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(gzip.decompress(content) if name.endswith(".gz") else content)
    return parsed


def main() -> None:
    """Compare."""
    version = locked_version()
    if version == botocore.__version__:
        print(f"botocore {version} is locked and installed: the models are the same")  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as folder:
        command = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, f"botocore=={version}"]
        subprocess.run([sys.executable, *command], check=True)
        (path,) = Path(folder).glob("botocore-*.whl")
        with zipfile.ZipFile(path) as wheel:
            for service in MODELS:
                found = list(changes(installed(service), of_wheel(wheel, service)))
                print(f"{service}: botocore {botocore.__version__} -> {version}: {len(found)} changes")  # noqa: T201
                for line in found:
                    print(f"  {line}")  # noqa: T201


main()
