"""What Helm made of the chart, and how to look things up in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
Manifest = Mapping[str, Any]

ORDERS = "arn:aws:sqs:eu-west-1:123456789012:orders"
CLICKS = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"

QUEUE = {"EventSourceArn": ORDERS, "FunctionName": "billing", "BatchSize": 10}
STREAM = {"EventSourceArn": CLICKS, "FunctionName": "sessions", "StartingPosition": "TRIM_HORIZON"}

PLAIN: Values = {"mappings": [QUEUE]}
FLEET: Values = {
    "replicaCount": 3,
    "functions": {"sessions": {"lambda": "arn:aws:lambda:eu-west-1:123456789012:function:s", "timeout": 120}},
    "mappings": [STREAM],
    "leases": {"backend": "dynamodb", "table": "poller-leases", "namespace": "clicks"},
    "serviceAccount": {
        "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/poller"}
    },
}
QUEUES: Values = {"mappings": [QUEUE], "leases": {"backend": "memory"}}
KEDA: Values = {
    **FLEET,
    "mappings": [STREAM, QUEUE],
    "keda": {
        "enabled": True,
        "maxReplicaCount": 8,
        "sqs": [{"queueURL": "https://sqs.eu-west-1.amazonaws.com/123456789012/orders", "queueLength": 100,
                 "awsRegion": "eu-west-1"}],
        "iteratorAge": {"enabled": True, "targetSeconds": 90},
    },
}  # fmt: skip
EVERYTHING: Values = {
    **FLEET,
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "pull"}],
    "config": {"more.yaml": {"mappings": [QUEUE]}, "text.yaml": "mappings: []\n"},
    "aws": {
        "region": "eu-west-1",
        "endpointUrl": "http://emulator:4566",
        "credentials": {"secretName": "keys"},
    },
    "api": {"enabled": True, "keysSecretName": "keys", "tokenSecretName": "token", "hosts": ["esm.example"]},
    "podAnnotations": {"team": "a"},
    "podLabels": {"team": "a"},
    "commonLabels": {"owner": "b"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "env": [{"name": "EXTRA", "value": "1"}],
    "envFrom": [{"secretRef": {"name": "more"}}],
    "extraArgs": ["--byte-budget", "134217728"],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "extraContainers": [{"name": "beside", "image": "beside:1"}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-x"}}
    ],
    "networkPolicy": {"enabled": True, "extraEgress": [{"ports": [{"port": 4566, "protocol": "TCP"}]}]},
    "metrics": {
        "shards": False,
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True},
        "dashboards": {"enabled": True},
    },
    "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 6},
}
VALUE_SETS: Mapping[str, Values] = {
    "plain": PLAIN,
    "fleet": FLEET,
    "queues": QUEUES,
    "keda": KEDA,
    "everything": EVERYTHING,
    "pod monitor": {**PLAIN, "metrics": {"podMonitor": {"enabled": True}}, "persistence": {"enabled": False}},
    "existing config": {"existingConfigMap": "mine", "serviceAccount": {"create": False, "name": "mine"}},
    "api only": {"api": {"enabled": True, "tokenSecretName": "token"}},
}


@dataclass(frozen=True)
class Rendered:
    """Manifests of one release."""

    manifests: Sequence[Manifest]
    release: Mapping[str, Any]

    @property
    def kinds(self) -> set[str]:
        """Which there are."""
        return {str(manifest["kind"]) for manifest in self.manifests}

    @property
    def notes(self) -> str:
        """What the user is told."""
        return str(self.release["info"]["notes"])

    def one(self, kind: str) -> Any:
        """The only manifest of a kind."""
        (found,) = [manifest for manifest in self.manifests if manifest["kind"] == kind]
        return found

    @property
    def workload(self) -> Any:
        """The Deployment or StatefulSet."""
        return self.one("StatefulSet" if "StatefulSet" in self.kinds else "Deployment")

    @property
    def pod(self) -> Any:
        """The pod's template."""
        return self.workload["spec"]["template"]

    @property
    def container(self) -> Any:
        """The poller's own."""
        return self.pod["spec"]["containers"][0]

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables with a value of their own."""
        return {entry["name"]: entry["value"] for entry in self.container["env"] if "value" in entry}
