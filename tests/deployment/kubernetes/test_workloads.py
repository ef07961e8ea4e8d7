"""The workloads of Kubernetes match the images: names, variables, ports, health routes, users, files."""

import os
import re
import signal
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

from chassis.authentication.tokens import parse
from chassis.settings.environment import Settings
from chassis.web.server import GRACEFUL_SECONDS
from contracts.broker import TOPOLOGY
from eventlog.topology import VHOST
from launcher.deployment.broker_definitions import definitions
from operations.migrate.identities import IDENTITIES, OURS
from secretstore.keyfile import KeyFile
from tests.support.manifests import (
    FOLDER,
    KUBECTL,
    KUSTOMIZATIONS,
    Manifest,
    containers,
    environment,
    fixed,
    manifests,
    pod,
    selects,
    service_container,
    settings,
    workloads,
)
from tests.support.servers import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
TARGETS = set(re.findall(r"^FROM runtime AS (\w+)", DOCKERFILE, re.MULTILINE))
DEPLOYMENTS = sorted(set(workloads()) - {"migrate"})
OF_OURS = sorted(set(workloads()) - {"gateway"})
FROM_A_FILE = ("REGCRED_BROKER_URL", "REGCRED_VAULT_ROLE_ID")  # settings.py, `_text`


def target(name: str) -> str:
    return str(service_container(workloads()[name])["image"]).removeprefix("regcred/")


def test_the_manifests_start_every_image_of_the_dockerfile() -> None:
    assert {target(name) for name in OF_OURS} == TARGETS
    for kustomization in KUSTOMIZATIONS:
        images = {
            container["image"] for one in workloads(kustomization).values() for container in containers(one)
        }
        ours = {image for image in images if "regcred/" in image}
        assert {image.rpartition("regcred/")[2].partition(":")[0] for image in ours} == TARGETS
        assert images - ours == {"haproxy:3.0"}


def test_in_production_every_image_has_a_version() -> None:
    for one in workloads("overlays/production").values():
        for container in containers(one):
            assert re.fullmatch(r".+:\d+\.\d+(\.\d+)?", container["image"]), container["image"]


def test_every_variable_is_a_setting() -> None:
    source = "".join(
        file.read_text() for root in ("libs", "services", "tools") for file in (ROOT / root).rglob("*.py")
    )
    read = set(re.findall(r"\"((?:REGCRED|OTEL)_[A-Z_]+)\"", source)) | {f"{one}_FILE" for one in FROM_A_FILE}
    gateway = set(re.findall(r"\$\{(\w+)", (FOLDER / "base" / "haproxy.cfg").read_text()))
    variables = set().union(*(environment(one) for one in workloads().values()))
    assert gateway < variables
    assert variables - gateway <= read


# What an image or the operator of one machine sets, values that are in files here, Vault without AppRoles, and TLS
# between a console and an API that are not in one cluster.
ELSEWHERE = {
    *("REGCRED_HOME", "REGCRED_LISTEN", "REGCRED_ADDRESS", "REGCRED_METRICS_LISTEN", "REGCRED_LOG_KEY_FILE"),
    *("REGCRED_BROKER_URL", "REGCRED_VAULT_ROLE_ID", "REGCRED_VAULT_TOKEN_FILE"),
    *("REGCRED_CONSOLE_LISTEN", "REGCRED_CA_FILE"),
}


def test_every_documented_setting_can_be_set() -> None:
    documented: set[str] = set()
    for page in ("README.md", "docs/observability.md", "docs/console.md"):
        rows = [line for line in (ROOT / page).read_text().splitlines() if line.startswith("| `")]
        documented |= {name for row in rows for name in re.findall(r"`((?:REGCRED|OTEL)_[A-Z_]+[A-Z])`", row)}
    assert {"REGCRED_VERIFIER_CA_FILE", "REGCRED_REVERIFY_CONCURRENCY", "REGCRED_LOG_LEVEL"} < documented
    for name in OF_OURS:
        of_manifests = set().union(*(fixed(one) for one in workloads().values()))
        assert documented - ELSEWHERE - of_manifests <= set(settings(workloads()[name])), name


def test_an_overlay_changes_one_setting(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(
        "namespace: regcred\nresources: [base]\nconfigMapGenerator:\n"
        "  - {name: settings, behavior: merge, literals: [REGCRED_LOG_LEVEL=debug]}\n"
    )
    (tmp_path / "base").symlink_to(FOLDER / "base", target_is_directory=True)
    done = subprocess.run(
        [KUBECTL, "kustomize", "--load-restrictor=LoadRestrictionsNone", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [one for one in yaml.safe_load_all(done.stdout) if one["kind"] == "ConfigMap"]
    [changed] = [one for one in found if one["metadata"]["name"].startswith("settings-")]
    before = settings(workloads()["relay"])
    assert changed["data"] == {**before, "REGCRED_LOG_LEVEL": "debug"}
    [name] = {one["metadata"]["name"] for one in manifests("base", "ConfigMap") if one["data"] == before}
    assert changed["metadata"]["name"] != name  # so that the pods are replaced


_COMPOSE_FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
COMPOSE = _COMPOSE_FILE["services"]
SETTINGS = set(_COMPOSE_FILE["x-settings"])  # what operators may set; every service gets them in compose


@pytest.mark.parametrize("name", sorted(workloads()))
def test_a_service_has_the_variables_that_compose_gives_it(name: str) -> None:
    needless = {"REGCRED_BROKER_URL_FILE"} if name == "registries" else set()  # it shares an anchor there
    variables = set(COMPOSE[name].get("environment", {})) - needless
    operators = SETTINGS | set(settings(workloads()[name]))
    assert set(fixed(workloads()[name])) - operators == variables - operators


@pytest.mark.parametrize("name", sorted(set(OF_OURS) - {"console"}))
def test_a_service_accepts_its_variables(name: str, tmp_path: Path) -> None:
    variables = environment(workloads()[name])
    for variable, path in variables.items():
        if variable in {f"{one}_FILE" for one in FROM_A_FILE}:
            assert path.startswith("/run/")
            content = "amqps://u:p@rabbitmq:5671/regcred" if "BROKER" in variable else "a-role-id"
            (tmp_path / variable).write_text(content)
            variables = variables | {variable: str(tmp_path / variable)}
    accepted = Settings.from_environment(variables)
    assert accepted.required_database_url().startswith("postgresql://regcred-")
    assert "sslmode=verify-full" in accepted.required_database_url()
    assert accepted.vault is None or accepted.vault.address.startswith("https://")


def probes(name: str) -> dict[str, str]:
    """The URL of each probe."""
    container = service_container(workloads()[name])
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    return {kind: f"http://127.0.0.1:{ports[one['port']]}{one['path']}" for kind, one in asked.items()}


@pytest.mark.parametrize("name", sorted(set(DEPLOYMENTS) - {"gateway", "console"}))
def test_readiness_asks_for_what_a_service_needs_and_liveness_asks_the_service_itself(name: str) -> None:
    image = target(name)
    if service_container(workloads()[name]).get("args") == ["api"]:
        image = "credentials"  # the HTTP part of the verifier has the same application around it
    of_the_image = re.search(
        rf"^FROM runtime AS {image}$.+?chassis\.runtime\.health\", \"(\S+)\"",
        DOCKERFILE,
        re.MULTILINE | re.DOTALL,
    )
    assert of_the_image
    ready = of_the_image[1]
    assert ready.endswith("/readyz")
    asked = probes(name)
    assert asked["liveness"] == ready.replace("/readyz", "/healthz")
    if ":9464" in ready:  # a background process does its other work without the secret store
        assert asked["startup"] == asked["liveness"]
        assert asked["readiness"] == ready
    else:
        assert asked["startup"] == ready
        vault = "REGCRED_VAULT_ADDR" in environment(workloads()[name])
        assert asked["readiness"] == ready + ("?exclude=secret_store" if vault else "")


def test_gateway_and_console_are_asked_whether_they_respond() -> None:
    configuration = (ROOT / "infra" / "gateway" / "haproxy.cfg").read_text()
    assert re.search(r"bind :8404\n +monitor-uri /healthz", configuration)
    assert set(probes("gateway").values()) == {"http://127.0.0.1:8404/healthz"}
    assert set(probes("console").values()) == {"http://127.0.0.1:8080/healthz"}


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
def test_every_deployment_has_a_disruption_budget_of_one_pod(kustomization: str) -> None:
    budgets = manifests(kustomization, "PodDisruptionBudget")
    for name in DEPLOYMENTS:
        labels = pod(workloads(kustomization)[name])["labels"]
        mine = [one["spec"] for one in budgets if selects(one["spec"]["selector"], labels)]
        assert [one["maxUnavailable"] for one in mine] == [1], name


def test_services_select_pods() -> None:
    for service in manifests("base", "Service"):
        found = [
            one
            for one in workloads().values()
            if selects({"matchLabels": service["spec"]["selector"]}, pod(one)["labels"])
        ]
        assert len(found) == 1, service["metadata"]["name"]
        names = {port["name"] for port in service_container(found[0])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


@pytest.mark.parametrize("name", sorted(workloads()))
def test_pods_meet_the_restricted_standard(name: str) -> None:
    """The Pod Security Standard `restricted`, with a read-only root file system and limits."""
    one = pod(workloads()[name])
    assert one["securityContext"]["runAsNonRoot"] is True
    assert one["securityContext"]["runAsUser"] == (99 if name == "gateway" else OURS.uid)
    assert one["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(one)
    assert all(set(volume) & {"secret", "configMap", "emptyDir"} for volume in one["volumes"])
    for container in containers(workloads()[name]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("name", sorted(workloads()))
def test_an_image_of_the_machine_is_used(name: str) -> None:
    """`overlays/small` runs images without a registry. Their default would be to pull at every start."""
    for container in containers(workloads("overlays/small")[name]):
        assert container["imagePullPolicy"] == "IfNotPresent", container["name"]


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)
@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_replaced_by_a_ready_one_and_finishes_its_requests(kustomization: str, name: str) -> None:
    spec = workloads(kustomization)[name]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["minReadySeconds"] > 0
    [service] = [one for one in spec["template"]["spec"]["containers"] if one["name"] == "service"]
    delay = service["lifecycle"]["preStop"]["sleep"]["seconds"]
    # The gateway notices within two seconds that a name has one address less, and that a check fails.
    assert delay >= 4
    finishing = 20 if name == "gateway" else GRACEFUL_SECONDS
    assert delay + finishing < spec["template"]["spec"]["terminationGracePeriodSeconds"]


def test_no_secret_is_in_an_environment() -> None:
    for name, one in workloads().items():
        for container in containers(one):
            assert not any("valueFrom" in variable for variable in container.get("env", [])), name
            assert not any("secretRef" in source for source in container.get("envFrom", [])), name
    assert not manifests("overlays/production", "Secret")


def mounted(workload: Manifest) -> dict[str, set[str]]:
    """The Secrets of a pod with the files of them that it names (none: all)."""
    return {
        volume["secret"]["secretName"]: {item["key"] for item in volume["secret"].get("items", [])}
        for volume in pod(workload)["volumes"]
        if "secret" in volume
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="files get owners: only root can give them")
def test_every_mounted_secret_is_created(tmp_path: Path) -> None:
    roles = tmp_path / "roles"
    roles.mkdir()
    for role in ("credentials", "relay", "verifier"):
        for kind in ("role-id", "secret-id"):
            (roles / f"{role}.{kind}").write_text(f"{kind} of {role}")
    made = secrets(tmp_path)
    by_operators = {"postgres-ca"}  # CloudNativePG makes it
    for name, one in workloads().items():
        for secret, keys in mounted(one).items():
            assert secret in set(made) | by_operators, (name, secret)
            assert keys <= made.get(secret, keys), (name, secret)
    asked = {
        *(one["spec"]["importCredentialsSecret"]["name"] for one in manifests("base", "User")),
        *(one["spec"]["tls"]["secretName"] for one in manifests("base", "RabbitmqCluster")),
        *(one["spec"]["bootstrap"]["initdb"]["secret"]["name"] for one in manifests("base", "Cluster")),
        yaml.safe_load((FOLDER / "vault" / "values.yaml").read_text())["server"]["volumes"][0]["secret"][
            "secretName"
        ],
    }
    used = set().union(*(mounted(one) for one in workloads().values())) | asked
    assert set(made) == used - by_operators
    again = secrets(tmp_path)
    assert again == made


def test_an_interrupted_run_leaves_no_empty_token(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    interrupted = tmp_path / "python"
    interrupted.write_text(
        f'#!/bin/sh\ncase "$2" in *token_bytes*) kill -KILL $PPID; exit;; esac\nexec {sys.executable} "$@"\n'
    )
    interrupted.chmod(0o755)
    assert run_secrets(folder, PYTHON=str(interrupted)).returncode == -signal.SIGKILL
    secrets(folder)
    for name in ("admin", "metrics"):
        assert parse((folder / "tokens" / f"{name}.token").read_text()) is not None


def secrets(folder: Path) -> dict[str, set[str]]:
    """Keys of the Secrets that secrets.sh creates."""
    done = run_secrets(folder)
    assert done.returncode == 0, done.stderr
    return {one["metadata"]["name"]: set(one["data"]) for one in yaml.safe_load_all(done.stdout)}


def run_secrets(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FOLDER / "secrets.sh", folder, "regcred.example.com"],
        env={**os.environ, "KUBECTL": str(KUBECTL), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_private_files_are_readable_by_their_user_only(tmp_path: Path) -> None:
    """As Kubernetes mounts a Secret: links, and readable by a group. libpq and the key file refuse that."""
    hidden = tmp_path / "..data"
    service = tmp_path / "mounted" / "service"
    for folder in (hidden, service, tmp_path / "own"):
        folder.mkdir(parents=True)
    KeyFile.create(hidden / "keys.json")
    (hidden / "pgpass").write_text("*:*:*:u:p\n")
    for file in hidden.iterdir():
        file.chmod(0o440)
        (service / file.name).symlink_to(file)
    scripts = {
        tuple(container["command"])
        for one in workloads().values()
        for container in pod(one).get("initContainers", [])
    }
    [(shell, options, script)] = scripts
    moved = script.replace("/mounted/", f"{tmp_path}/mounted/").replace("/run/secrets/", f"{tmp_path}/own/")
    assert moved.count(str(tmp_path)) == 2
    subprocess.run([shell, options, moved], check=True)
    assert {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "own").iterdir()} == {
        "keys.json": 0o400,
        "pgpass": 0o400,
    }
    KeyFile.load(tmp_path / "own" / "keys.json")


@pytest.mark.parametrize("name", sorted(set(OF_OURS) - {"console"}))
def test_every_pod_has_its_own_service_account(name: str) -> None:
    identity = IDENTITIES["verifier" if name == "registries" else name]
    variables = environment(workloads()[name])
    assert variables["REGCRED_DATABASE_URL"].startswith(f"postgresql://{identity.login}@postgres-rw/")
    if "REGCRED_BROKER_URL_FILE" in variables:
        assert identity.broker_user
    assert ("REGCRED_VAULT_ADDR" in variables) == identity.vault
    others = {other for other in IDENTITIES if IDENTITIES[other] != identity}
    assert not set(mounted(workloads()[name])) & others


def test_the_broker_has_users_rights_and_sizes_of_the_topology() -> None:
    wanted = definitions(TOPOLOGY, dict.fromkeys(TOPOLOGY.users, "p"), salt=lambda: b"salt")
    assert [one["spec"]["name"] for one in manifests("base", "Vhost")] == [VHOST]
    assert {one["metadata"]["name"] for one in manifests("base", "User")} == set(TOPOLOGY.users)
    found = {one["spec"]["userReference"]["name"]: one["spec"] for one in manifests("base", "Permission")}
    for one in wanted["permissions"]:
        rights = {kind: one[kind] for kind in ("configure", "write", "read")}
        assert found.pop(one["user"])["permissions"] == rights
    assert not found
    policies = {one["spec"]["name"]: one["spec"] for one in manifests("base", "Policy")}
    assert set(policies) == {queue.name for queue in TOPOLOGY.queues}
    for one in wanted["policies"]:
        spec = policies[one["name"]]
        assert (spec["pattern"], spec["applyTo"], spec["definition"]) == (
            one["pattern"],
            one["apply-to"],
            one["definition"],
        )


def test_the_gateway_is_configured_as_in_compose() -> None:
    original = (ROOT / "infra" / "gateway" / "haproxy.cfg").read_text()
    here = re.sub(r"( 8 \w+):8080 ", r"\1.regcred.svc.cluster.local:8080 ", original)
    assert (FOLDER / "base" / "haproxy.cfg").read_text() == here, (
        "copy it again from infra/gateway/haproxy.cfg"
    )
    names = set(re.findall(r" 8 (\w+)\.regcred\.svc", here))
    headless = {
        one["metadata"]["name"]
        for one in manifests("base", "Service")
        if one["spec"].get("clusterIP") == "None"
    }
    assert names <= headless


def test_autoscaled_deployments_set_no_number_of_replicas() -> None:
    scaled = {
        one["spec"]["scaleTargetRef"]["name"]: one["spec"]
        for one in manifests("overlays/production", "ScaledObject")
    }
    deployments = workloads("overlays/production")
    assert set(scaled) == {"credentials", "queries", "registries"}
    for name, one in deployments.items():
        assert ("replicas" not in one["spec"]) == (name in scaled or name == "migrate"), name
    connections = 24 * sum(spec["maxReplicaCount"] for spec in scaled.values())
    [cluster] = manifests("overlays/production", "Cluster")
    assert connections < int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])


def test_every_manifest_file_is_in_a_kustomization() -> None:
    for kustomization in KUSTOMIZATIONS:
        folder = FOLDER / kustomization
        text = (folder / "kustomization.yaml").read_text()
        for file in folder.iterdir():
            assert file.name == "kustomization.yaml" or file.name in text, file
    assert not [file for file in FOLDER.rglob("*.y*ml") if fnmatch(file.name, "*.orig*")]
