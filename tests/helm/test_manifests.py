"""What the chart makes: each fact that somebody who runs it relies on."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from poller import metrics
from poller.metrics import Metric
from poller.table_address import TableAddress
from tests.helm.conftest import Helm
from tests.helm.rendering import EVERYTHING, FLEET, KEDA, PLAIN, QUEUES, VALUE_SETS, Rendered, Values

pytestmark = pytest.mark.timeout(300)

METRICS = {metric.name for metric in vars(metrics).values() if isinstance(metric, Metric)}


def _test_pod(rendered: Rendered) -> Any:
    (hook,) = rendered.release["hooks"]
    return yaml.safe_load(hook["manifest"])


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_no_pod_has_a_right_it_does_not_need(helm: Helm, values: Values) -> None:
    """Faults S10: also the pod of `helm test`."""
    rendered = helm.render(values)
    for spec in (rendered.pod["spec"], _test_pod(rendered)["spec"]):
        pod, container = spec["securityContext"], spec["containers"][0]["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] >= 10_000
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert spec["automountServiceAccountToken"] is False
        assert "memory" in spec["containers"][0]["resources"]["limits"]


def test_only_the_state_and_tmp_can_be_written(helm: Helm) -> None:
    """And the mappings come as a directory, so that changes arrive."""
    mounts = {m["mountPath"]: m.get("readOnly", False) for m in helm.render(PLAIN).container["volumeMounts"]}

    assert mounts == {"/tmp": False, "/etc/poller": True, "/var/lib/poller": False}


def test_probes_ask_the_ops_port(helm: Helm) -> None:
    """Which the poller opens to the pod's network."""
    rendered = helm.render(PLAIN)
    probes = {
        name: rendered.container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }

    assert probes == {
        "startup": {"path": "/startupz", "port": "metrics"},
        "liveness": {"path": "/livez", "port": "metrics"},
        "readiness": {"path": "/readyz", "port": "metrics"},
    }
    assert {"name": "metrics", "containerPort": 9464} in rendered.container["ports"]
    assert rendered.environment["POLLER_OPS"] == "0.0.0.0:9464"


def test_the_poller_is_run_on_the_mounted_mappings(helm: Helm) -> None:
    """With what else was asked for."""
    assert helm.render(EVERYTHING).container["args"] == [
        "run",
        "/etc/poller",
        "--byte-budget",
        "134217728",
    ]


def test_one_pod_keeps_its_state_on_a_volume(helm: Helm) -> None:
    """It is a StatefulSet's: the next pod waits for the volume, and for the lock on the file."""
    rendered = helm.render(PLAIN)
    (claim,) = rendered.one("StatefulSet")["spec"]["volumeClaimTemplates"]

    assert rendered.environment["POLLER_STATE"] == "sqlite:////var/lib/poller/state.db"
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert "Deployment" not in rendered.kinds


def test_a_fleet_shares_a_table_and_is_replaced_one_by_one(helm: Helm) -> None:
    """A new pod is there before an old one goes."""
    rendered = helm.render(FLEET)
    deployment = rendered.one("Deployment")["spec"]

    state = rendered.environment["POLLER_STATE"]
    assert TableAddress.parse(state) == TableAddress(table="poller-leases", namespace="clicks")
    assert deployment["replicas"] == 3
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert rendered.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "state" not in [volume["name"] for volume in rendered.pod["spec"]["volumes"]]
    assert "poller state init" in rendered.notes


def test_queues_alone_need_no_state(helm: Helm) -> None:
    """SQS hides a message from the other pods."""
    rendered = helm.render({**QUEUES, "replicaCount": 5})

    assert rendered.environment["POLLER_STATE"] == "memory://"
    assert rendered.one("Deployment")["spec"]["replicas"] == 5


@pytest.mark.parametrize(
    ("values", "grace"),
    [
        (PLAIN, 95),
        (FLEET, 155),
        ({**PLAIN, "functions": {"f": {"lambda": "billing"}}}, 935),
        ({**PLAIN, "functions": {"f": {"handler": "a:b", "timeout": 70.5}}}, 106),
        ({**PLAIN, "terminationGracePeriodSeconds": 20}, 20),
    ],
)
def test_the_drain_fits_into_the_grace_period(helm: Helm, values: Values, grace: int) -> None:
    """The longest function and 30 s, and 5 s more to end in before the kubelet kills."""
    rendered = helm.render(values)

    assert rendered.pod["spec"]["terminationGracePeriodSeconds"] == grace
    assert rendered.environment["POLLER_DRAIN_TIMEOUT"] == str(grace - 5)


def test_the_role_stands_on_the_service_account(helm: Helm) -> None:
    """Which the pod uses."""
    rendered = helm.render(FLEET)
    account = rendered.one("ServiceAccount")

    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(":role/poller")
    assert rendered.pod["spec"]["serviceAccountName"] == account["metadata"]["name"]


def test_credentials_come_from_a_secret_and_never_from_values(helm: Helm) -> None:
    """Nothing of them is in a manifest."""
    env = {entry["name"]: entry for entry in helm.render(EVERYTHING).container["env"]}

    assert env["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"] == {
        "name": "keys",
        "key": "AWS_SECRET_ACCESS_KEY",
    }
    assert env["AWS_SESSION_TOKEN"]["valueFrom"]["secretKeyRef"]["optional"] is True
    assert env["AWS_ENDPOINT_URL"]["value"] == "http://emulator:4566"
    assert env["AWS_REGION"]["value"] == env["AWS_DEFAULT_REGION"]["value"] == "eu-west-1"


def test_the_api_stays_on_loopback_unless_it_was_asked_for(helm: Helm) -> None:
    """Nothing of it can be reached from outside the pod."""
    rendered = helm.render(PLAIN)

    assert "POLLER_API" not in rendered.environment
    assert [port["name"] for port in rendered.one("Service")["spec"]["ports"]] == ["metrics"]


def test_the_api_asks_who_calls(helm: Helm) -> None:
    """With keys and a token of Secrets, which only the pod's group can read, under the Service's names."""
    rendered = helm.render(EVERYTHING)
    (secrets,) = [v for v in rendered.pod["spec"]["volumes"] if v["name"] == "api-secrets"]

    assert rendered.environment["POLLER_API"] == "0.0.0.0:4577"
    assert rendered.environment["POLLER_API_KEYS_FILE"] == "/etc/poller-api/keys.yaml"
    assert rendered.environment["POLLER_API_TOKEN_FILE"] == "/etc/poller-api/token"
    assert rendered.environment["POLLER_API_HOSTS"].split(",") == [
        "poller-esm-poller",
        "poller-esm-poller.events",
        "poller-esm-poller.events.svc",
        "poller-esm-poller.events.svc.cluster.local",
        "esm.example",
    ]
    assert secrets["projected"]["defaultMode"] == 0o440
    assert [source["secret"]["name"] for source in secrets["projected"]["sources"]] == ["keys", "token"]
    assert [port["name"] for port in rendered.one("Service")["spec"]["ports"]] == ["metrics", "http"]


def test_the_service_has_the_pods_and_not_the_test(helm: Helm) -> None:
    """`helm test` must not ask itself."""
    rendered = helm.render(PLAIN)
    selector = rendered.one("Service")["spec"]["selector"]

    assert selector.items() <= rendered.pod["metadata"]["labels"].items()
    assert not selector.items() <= _test_pod(rendered)["metadata"]["labels"].items()


def test_services_of_the_cluster_do_not_show_as_settings(helm: Helm) -> None:
    """POLLER_ESM_POLLER_PORT is none of ours."""
    assert helm.render(PLAIN).pod["spec"]["enableServiceLinks"] is False


def test_keda_scales_on_queues_and_on_the_oldest_age(helm: Helm) -> None:
    """The number of pods is then KEDA's alone."""
    rendered = helm.render(KEDA)
    scaled = rendered.one("ScaledObject")["spec"]
    queue, stream = scaled["triggers"]

    assert scaled["scaleTargetRef"]["name"] == rendered.one("Deployment")["metadata"]["name"]
    assert "replicas" not in rendered.one("Deployment")["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (1, 8)
    assert queue["metadata"] == {
        "queueURL": "https://sqs.eu-west-1.amazonaws.com/123456789012/orders",
        "queueLength": "100",
        "awsRegion": "eu-west-1",
        "scaleOnInFlight": "true",
    }
    assert queue["authenticationRef"]["name"] == rendered.one("TriggerAuthentication")["metadata"]["name"]
    assert stream["metadata"]["url"] == "http://poller-esm-poller.events.svc.cluster.local:9464/status"
    assert stream["metadata"]["valueLocation"] == "iterator_age_s"
    assert stream["metadata"]["aggregationType"] == "max"
    assert rendered.one("Service")["spec"]["ports"][0]["port"] == 9464


def test_an_autoscaler_can_do_it_instead(helm: Helm) -> None:
    """On CPU by default."""
    rendered = helm.render(EVERYTHING)
    scaler = rendered.one("HorizontalPodAutoscaler")["spec"]

    assert scaler["scaleTargetRef"]["name"] == rendered.one("Deployment")["metadata"]["name"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert "replicas" not in rendered.one("Deployment")["spec"]


def test_the_network_policy_lets_out_what_aws_needs_and_in_whom_it_names(helm: Helm) -> None:
    """Everything else is denied, both ways."""
    spec = helm.render(EVERYTHING).one("NetworkPolicy")["spec"]
    out = [port["port"] for rule in spec["egress"] for port in rule["ports"]]

    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert out == [53, 53, 443, 80, 4566]
    assert [rule["ports"][0]["port"] for rule in spec["ingress"]] == ["metrics", "http"]
    labels = spec["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    assert labels == {"poller-esm-poller-client": "true"}
    assert labels.items() <= _test_pod(helm.render(EVERYTHING))["metadata"]["labels"].items()


def test_monitors_scrape_the_metrics_of_every_pod(helm: Helm) -> None:
    """Through the Service, or without one."""
    service = helm.render(EVERYTHING).one("ServiceMonitor")
    pod = helm.render(VALUE_SETS["pod monitor"]).one("PodMonitor")

    assert service["metadata"]["labels"]["release"] == "prometheus"
    assert service["spec"]["endpoints"][0]["port"] == "metrics"
    assert pod["spec"]["podMetricsEndpoints"][0]["path"] == "/metrics"


def test_alerts_and_dashboard_ask_for_metrics_that_exist(helm: Helm) -> None:
    """Names that nobody exports would never fire."""
    rendered = helm.render(EVERYTHING)
    (group,) = rendered.one("PrometheusRule")["spec"]["groups"]
    dashboard = next(m for m in rendered.manifests if m["metadata"]["name"].endswith("-dashboard"))
    panels = json.loads(dashboard["data"]["esm-poller.json"])["panels"]
    asked = [rule["expr"] for rule in group["rules"]] + [p["targets"][0]["expr"] for p in panels]

    assert [rule["alert"] for rule in group["rules"]] == [
        "PollerIteratorAgeRising",
        "PollerRecordsDropped",
        "PollerTargetNotReady",
        "PollerCheckpointsFail",
        "PollerMappingNotEnabled",
        "PollerReceiptsExpired",
    ]
    for expression in asked:
        assert _names(expression) <= METRICS, expression
        assert _names(expression), expression


def _names(expression: str) -> set[str]:
    words = "".join(c if c.isalnum() or c == "_" else " " for c in expression).split()
    return {word.removesuffix("_bucket") for word in words if word.startswith("esm_")}


def test_everything_can_be_changed_without_forking_the_chart(helm: Helm) -> None:
    """Each of the usual keys has its place."""
    rendered = helm.render(EVERYTHING)
    spec = rendered.pod["spec"]

    assert rendered.container["image"] == "esm-poller@sha256:" + "0" * 64
    assert [container["name"] for container in spec["containers"]] == ["poller", "beside"]
    assert (spec["priorityClassName"], spec["nodeSelector"]) == ("high", {"disk": "ssd"})
    assert rendered.pod["metadata"]["labels"]["team"] == "a"
    assert rendered.workload["metadata"]["labels"]["owner"] == "b"
    assert rendered.environment["POLLER_METRICS_SHARDS"] == "false"
    assert "poller-x" in [manifest["metadata"]["name"] for manifest in rendered.manifests]


@pytest.mark.parametrize("name", ["streams.values.yaml", "queues.values.yaml"])
def test_the_example_values_install(helm: Helm, chart: Path, name: str) -> None:
    """Nobody has to mend what they copy."""
    values = yaml.safe_load((chart / "examples" / name).read_text())

    assert helm.problems(helm.render(values).manifests) == []


def test_the_sidecar_example_is_a_native_sidecar(helm: Helm, chart: Path, tmp_path: Path) -> None:
    """It starts before the application and ends after it, with the same rights as in the chart."""
    from mappings.files import read_mapping_files

    documents = list(yaml.safe_load_all((chart / "examples" / "sidecar.yaml").read_text()))
    config, deployment = documents
    (sidecar,) = deployment["spec"]["template"]["spec"]["initContainers"]
    (tmp_path / "mappings.yaml").write_text(config["data"]["mappings.yaml"])

    assert helm.problems(documents, ["1.32"]) == []
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["securityContext"]["readOnlyRootFilesystem"] is True
    assert sidecar["startupProbe"]["httpGet"]["path"] == "/startupz"
    assert len(read_mapping_files([tmp_path], now=1_800_000_000.0).mappings) == 1
