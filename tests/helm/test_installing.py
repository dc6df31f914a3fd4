"""The chart in Helm's own hands: linted, installed, upgraded, and its values checked."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from mappings.files import read_mapping_files
from tests.helm.conftest import Cluster, Helm, HelmRefused
from tests.helm.rendering import EVERYTHING, FLEET, KEDA, PLAIN, QUEUE, QUEUES, STREAM, VALUE_SETS, Values

# The first of them installs Helm's library, of 120 MB.
pytestmark = pytest.mark.timeout(300)

INFO = 1  # severity: an icon is recommended


def test_lint_finds_nothing_to_complain_of(helm: Helm) -> None:
    """Neither warnings nor errors."""
    assert [message for message in helm.lint() if message["Severity"] > INFO] == []


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_every_manifest_is_one_kubernetes_knows(helm: Helm, values: Values) -> None:
    """By the schemas of two Kubernetes versions, strictly; of `helm test` too."""
    rendered = helm.render(values)
    hooks = [yaml.safe_load(hook["manifest"]) for hook in rendered.release["hooks"]]

    assert helm.problems([*rendered.manifests, *hooks]) == []


def test_every_manifest_is_sent(cluster: Cluster) -> None:
    """As it was rendered."""
    rendered = cluster.install(EVERYTHING)

    assert len(cluster.sent().manifests) == len(rendered.manifests)
    assert cluster.sent().pod == rendered.pod


def test_the_schemas_would_notice_a_misspelt_field(helm: Helm) -> None:
    """So that finding nothing means something."""
    workload = copy.deepcopy(helm.render(PLAIN).workload)
    workload["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}

    assert helm.problems([workload])


BAD_VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"replicas": 2}, "additional properties 'replicas' not allowed"),
    "an unknown key inside": ({"leases": {"tabel": "x"}}, "additional properties 'tabel' not allowed"),
    "a wrong type": ({"replicaCount": "2"}, "at '/replicaCount': got string, want integer"),
    "an unknown backend": ({"leases": {"backend": "redis"}}, "at '/leases/backend'"),
    "a port out of range": ({"metrics": {"port": 70000}}, "at '/metrics/port'"),
    "a file of another kind": ({"config": {"mappings.txt": "x"}}, "additional properties 'mappings.txt'"),
    "an unknown field of a function": (
        {"functions": {"f": {"handler": "a:b", "memory": 1}}},
        "additional properties 'memory' not allowed",
    ),
    "a mapping without a function": ({"mappings": [{"EventSourceArn": "x"}]}, "at '/mappings/0'"),
    "an endpoint that is no URL": ({"aws": {"endpointUrl": "emulator:4566"}}, "at '/aws/endpointUrl'"),
    "a digest that is none": ({"image": {"digest": "latest"}}, "at '/image/digest'"),
    "a queue without a length": (
        {"keda": {"sqs": [{"queueURL": "https://x"}]}},
        "missing property 'queueLength'",
    ),
}


@pytest.mark.parametrize(("values", "sentence"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_values_the_schema_does_not_allow_are_refused(
    untouched: Cluster, values: dict[str, Any], sentence: str
) -> None:
    """A key that does not exist is never ignored."""
    with pytest.raises(HelmRefused) as refused:
        untouched.install({**PLAIN, **values})

    assert sentence in str(refused.value)


SENSELESS: dict[str, tuple[Values, str]] = {
    "two pods on one file": ({**PLAIN, "replicaCount": 2}, "leases.backend file is for one pod"),
    "scaling on one file": (
        {**PLAIN, "autoscaling": {"enabled": True}},
        "leases.backend file is for one pod",
    ),
    "a stream without positions": (
        {"mappings": [STREAM], "leases": {"backend": "memory"}},
        "leases.backend memory keeps no positions, which arn:aws:kinesis",
    ),
    "a fleet without a table": ({**PLAIN, "leases": {"backend": "dynamodb"}}, "leases.table is needed"),
    "a table nobody uses": ({**PLAIN, "leases": {"table": "leases"}}, "belong to leases.backend dynamodb"),
    "nothing to run": ({}, "there is nothing to run"),
    "two places for mappings": ({**PLAIN, "existingConfigMap": "mine"}, "give one or the other"),
    "two files of one name": (
        {**PLAIN, "config": {"mappings.yaml": "mappings: []"}},
        "config may not hold mappings.yaml",
    ),
    "two scalers": ({**KEDA, "autoscaling": {"enabled": True}}, "both set the number of pods"),
    "a stream that scales to zero": (
        {**KEDA, "keda": {**KEDA["keda"], "minReplicaCount": 0}},
        "keda.minReplicaCount 0 is for queues only",
    ),
    "nothing to scale on": ({**QUEUES, "keda": {"enabled": True}}, "keda has nothing to scale on"),
    "two scrapers": (
        {**PLAIN, "metrics": {"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}},
        "would scrape every pod twice",
    ),
    "an API for everybody": (
        {**PLAIN, "api": {"enabled": True}},
        "api.keysSecretName or api.tokenSecretName is needed",
    ),
}


@pytest.mark.parametrize(("values", "sentence"), SENSELESS.values(), ids=SENSELESS)
def test_what_cannot_work_is_refused_in_a_sentence(untouched: Cluster, values: Values, sentence: str) -> None:
    """Before anything is sent to the cluster."""
    with pytest.raises(HelmRefused) as refused:
        untouched.install(values)

    assert sentence in str(refused.value)
    assert untouched.sent().manifests == []


def test_the_mapping_files_are_read_by_the_poller(helm: Helm, tmp_path: Path) -> None:
    """What is written in values is what runs."""
    rendered = helm.render({**EVERYTHING, "config": {"more.yaml": {"mappings": [QUEUE]}}})
    files = next(m for m in rendered.manifests if m["metadata"]["name"].endswith("-mappings"))["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    read = read_mapping_files([tmp_path], now=1_800_000_000.0)

    assert [mapping.event_source.name for mapping in read.mappings] == ["clicks", "orders"]


def test_a_changed_mapping_starts_new_pods(cluster: Cluster) -> None:
    """By the checksum in the pod's annotations."""
    before = cluster.install(PLAIN)
    same = cluster.upgrade({**PLAIN, "service": {"annotations": {"a": "b"}}})
    after = cluster.upgrade({"mappings": [{**QUEUE, "BatchSize": 5}]})

    sums = [r.pod["metadata"]["annotations"]["checksum/config"] for r in (before, same, after)]
    assert sums[0] == sums[1] != sums[2]
    assert (after.release["version"], after.release["info"]["status"]) == (3, "deployed")
    assert cluster.sent().pod["metadata"]["annotations"]["checksum/config"] == sums[2]
    assert "BatchSize: 5" in cluster.sent().one("ConfigMap")["data"]["mappings.yaml"]


def test_a_changed_mapping_can_leave_the_pods_alone(cluster: Cluster) -> None:
    """The poller picks it up from the mounted files."""
    lasting = {"rolloutConfigMap": False}
    before = cluster.install({**PLAIN, **lasting})
    after = cluster.upgrade({"mappings": [{**QUEUE, "BatchSize": 5}], **lasting})

    assert before.pod == after.pod


def test_from_one_pod_to_a_fleet_and_back(cluster: Cluster) -> None:
    """An upgrade takes the workload of the other kind away."""
    cluster.install({"mappings": [STREAM]})
    cluster.upgrade(FLEET)
    fleet = cluster.sent().kinds
    cluster.upgrade({"mappings": [STREAM]})

    assert {"Deployment", "StatefulSet"} & fleet == {"Deployment"}
    assert {"Deployment", "StatefulSet"} & cluster.sent().kinds == {"StatefulSet"}
