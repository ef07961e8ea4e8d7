"""The deployment as its users see it, over TLS at one address, and its isolation."""

import json
import socket
import ssl
from functools import partial
from itertools import count

import httpx2
import pytest

from tests.containers.conftest import PASSWORD, USER
from tests.support.compose import REGISTRY, Deployment, docker, docker_logs, hidden_fields
from tests.support.load import Load, Target, check
from tests.support.servers import free_port
from tests.support.system import add_body
from tests.support.timing import waiting

OURS = ("credentials", "relay", "verifier", "registries", "projector", "queries", "console")
_numbers = count(1)


@pytest.fixture
def account() -> str:
    return f"compose-{next(_numbers)}"


def test_a_credential_is_added_verified_and_issued(deployment: Deployment, account: str) -> None:
    base = f"/v1/accounts/{account}"
    with deployment.client() as client:
        good = client.post(f"{base}/credentials", json=add_body("team-good", REGISTRY, USER, PASSWORD))
        bad = client.post(f"{base}/credentials", json=add_body("team-bad", REGISTRY, USER, "wrong"))
        assert (good.status_code, bad.status_code) == (201, 201), (good.text, bad.text)

        def verdicts() -> dict[str, tuple[str, str | None]]:
            items = client.get(f"{base}/credentials").json()["items"]
            found = {i["name"]: (i["verification"]["status"], i["verification"]["code"]) for i in items}
            return found if len(found) == 2 and "pending" not in str(found) else {}

        assert waiting(verdicts, "both are tried") == {
            "team-good": ("verified", None),
            "team-bad": ("failed", "bad_credential"),
        }
        client.delete(f"{base}/credentials/{bad.json()['id']}", headers={"If-Match": "*"})
        image = f"{REGISTRY}/team/app:1"
        resolved = client.post(
            f"{base}/resolutions", json={"image": image, "project_id": "shop", "operation": "pull"}
        )
        assert resolved.json()["selected"]["credential_id"] == good.json()["id"]
        issued = client.post(
            f"{base}/pull-secrets",
            json={
                "images": [image],
                "project_id": "shop",
                "workload": {"kind": "deployment", "name": "web"},
                "format": "docker_config",
            },
        )
        assert issued.status_code in (200, 201), issued.text
        assert issued.json()["docker_config"]["auths"][REGISTRY]["password"] == PASSWORD

        def recorded() -> set[str]:
            trail = client.get(f"{base}/audit-events").json()["items"]
            return {event["action"] for event in trail}

        wanted = {
            "credential.added",
            "verification.succeeded",
            "verification.failed",
            "credential.removed",
            "secret.issued",
        }
        waiting(lambda: recorded() >= wanted, "the trail knows all of it")
        added = [
            e for e in client.get(f"{base}/audit-events").json()["items"] if e["action"] == "credential.added"
        ]
        assert all(event["source_ip"] for event in added)
        trial = client.post(f"{base}/verifications", json=add_body("trial", REGISTRY, USER, PASSWORD))
        assert trial.json()["status"] == "verified", trial.text


def test_the_audit_log_has_the_address_of_the_browser_and_not_a_claimed_one(
    deployment: Deployment, account: str
) -> None:
    """The same browser uses the API and the console; then a container next to the gateway claims to be a proxy."""
    false = {"X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
    base = f"/v1/accounts/{account}"
    with deployment.client() as client:
        body = add_body("team-api", REGISTRY, USER, PASSWORD)
        added = client.post(f"{base}/credentials", json=body, headers=false)
        assert added.status_code == 201, added.text
    with deployment.browser() as browser:
        edit = f"/accounts/{account}/credentials/{added.json()['id']}/edit"
        waiting(lambda: browser.get(edit).status_code == 200, "the read models have it")
        form = {**hidden_fields(browser.get(edit).text), "name": "team-console", "scope": "pull"}
        edited = browser.post(edit, data=form, headers=false)
        assert edited.status_code == 303, edited.text
    for at in ("gateway", "credentials"):
        deployment.beside(
            f"http://{at}:8080{base}/credentials", add_body(f"by-{at}", REGISTRY, USER, PASSWORD), false
        )

    def by_name() -> dict[str, str]:
        with deployment.client() as client:
            trail = client.get(f"{base}/audit-events").json()["items"]
        changes = [e for e in trail if e["action"] in ("credential.added", "credential.details_changed")]
        return {e["credential_name"]: e["source_ip"] for e in changes}

    names = {"team-api", "team-console", "by-gateway", "by-credentials"}
    found = waiting(lambda: by_name() if by_name().keys() == names else {}, "all are in the trail")
    assert found["team-console"] == found["team-api"]
    assert "6.6.6.6" not in found.values()
    assert found["by-gateway"] != found["team-api"]


def test_the_address_that_a_configured_load_balancer_forwards_is_recorded(
    deployment: Deployment, account: str
) -> None:
    """A second gateway has this machine as its load balancer; the first one has none."""
    port = free_port()
    second = deployment.compose(
        *("run", "--detach", "--no-deps", "--use-aliases", "--publish", f"127.0.0.1:{port}:8443"),
        *("--env", "REGCRED_LOAD_BALANCERS=10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "gateway"),
    ).strip()
    said = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    path = f"/v1/accounts/{account}/credentials"
    try:
        with deployment.client() as client:
            addresses = {"by-first": deployment.address, "by-second": f"https://localhost:{port}"}
            waiting(lambda: client_reaches(client, addresses["by-second"]), "the second serves")
            for name, address in addresses.items():
                body = add_body(name, REGISTRY, USER, PASSWORD)
                assert client.post(address + path, json=body, headers=said).status_code == 201

            def by_name() -> dict[str, str]:
                trail = client.get(f"/v1/accounts/{account}/audit-events").json()["items"]
                return {
                    e["credential_name"]: e["source_ip"] for e in trail if e["action"] == "credential.added"
                }

            found = waiting(lambda: by_name() if len(by_name()) == 2 else {}, "both are in the trail")
    finally:
        docker("rm", "--force", second)
    assert found["by-second"] == "203.0.113.9"
    assert found["by-first"] not in ("203.0.113.9", "6.6.6.6")


def client_reaches(client: httpx2.Client, address: str) -> bool:
    """Whether a gateway at this address and the services behind it respond."""
    try:
        return client.get(f"{address}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def test_the_command_line_runs_in_a_container(deployment: Deployment) -> None:
    assert "dockerhub" in deployment.tool("providers")


def test_the_gateway_sends_every_route_to_its_service(deployment: Deployment) -> None:
    """One document describes all of them. A service refuses a caller without a token by 401 on its own routes, and
    by 404 on those of others.
    """
    with deployment.client("nobody") as client:
        document = client.get("/openapi.json").json()
        assert "/v1/service-tokens" in client.get("/docs").text
        tried = 0
        for path, operations in document["paths"].items():
            concrete = path.replace("{credential_id}", "00000000-0000-0000-0000-000000000000")
            concrete = concrete.replace("{", "").replace("}", "").replace("_", "-")
            for method in set(operations) & {"get", "post", "put", "patch", "delete"}:
                answer = client.request(method.upper(), concrete)
                assert answer.status_code == 401, (method, path, answer.text)
                tried += 1
    assert tried >= 25


def test_the_gateway_serves_tls_only_and_no_metrics(deployment: Deployment) -> None:
    with deployment.client() as client:
        assert client.get("/metrics").status_code == 404
        page = client.get("/sign-in")
        assert "max-age" in page.headers["Strict-Transport-Security"]
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        large = client.post("/v1/accounts/acme/credentials", content=b"x" * (1024 * 1024 + 1))
        assert (large.status_code, large.json()["code"]) == (413, "too_large")
    with pytest.raises(httpx2.TransportError):
        httpx2.get(deployment.address.replace("https", "http"), trust_env=False)
    with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx2.get(deployment.address, trust_env=False)
    with socket.create_connection(("localhost", deployment.port)) as plain:
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(plain)


def test_services_have_a_read_only_file_system_and_no_capabilities(deployment: Deployment) -> None:
    for service in OURS:
        [about] = deployment.containers(service)
        host = about["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["Memory"] > 0, service
        assert host["NanoCpus"] > 0, service
        mounts = {mount["Destination"]: mount["RW"] for mount in about["Mounts"]}
        assert not any(mounts.values()), (service, mounts)
    for service in ("credentials", "verifier"):
        assert deployment.inside(service, "id", "-u").strip() == "10001"


def test_every_container_has_limits(deployment: Deployment) -> None:
    services = json.loads(deployment.compose("--profile", "*", "config", "--format", "json"))["services"]
    for name, service in services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() >= {"cpus", "memory"}, name


def test_each_service_has_its_own_secrets_only(deployment: Deployment) -> None:
    services = json.loads(deployment.compose("config", "--format", "json"))["services"]
    for name, service in services.items():
        if name in ("setup", "vault-prepare"):
            continue  # these give the others theirs
        mounted = {volume["source"] for volume in service.get("volumes", []) if volume["type"] == "volume"}
        own = {"registries": "verifier", "vault-keeper": "vault"}.get(name, name.removesuffix("-identity"))
        assert {volume for volume in mounted if volume.endswith("-secrets")} <= {f"{own}-secrets"}, name


def test_no_secret_is_in_an_environment_or_a_log(deployment: Deployment) -> None:
    secrets = {PASSWORD}
    for service in ("migrate", "relay", "queries"):
        command = ("run", "--rm", "--no-TTY", "--entrypoint", "cat", service, "/run/secrets/pgpass")
        secrets.add(deployment.compose(*command).strip().rpartition(":")[2])
    assert len(secrets) == 4
    ids = deployment.compose("ps", "--all", "--quiet").split()
    inspected = json.dumps([deployment.containers(service) for service in OURS])
    logs = deployment.logs()
    assert len(ids) > 10
    for secret in secrets:
        assert secret not in inspected
        assert secret not in logs


def test_a_login_of_a_service_has_only_the_rights_of_its_role(deployment: Deployment) -> None:
    """The projector's login is a member of one role; the relay's broker user may not read a queue."""
    ask = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['REGCRED_DATABASE_URL'], autocommit=True) as c:\n"
        "    print(c.execute('SELECT current_user').fetchone()[0])\n"
        "    c.execute('SET ROLE regcred_projector')\n"
        "    for role in ('regcred_credentials', 'regcred_relay', 'regcred-owner', 'postgres'):\n"
        "        try:\n"
        "            c.execute(f'SET ROLE \"{role}\"')\n"
        "            print('became', role)\n"
        "        except psycopg.errors.InsufficientPrivilege:\n"
        "            pass\n"
        "    print(c.pgconn.ssl_in_use)\n"
    )
    assert deployment.inside("projector", "python3", "-c", ask).split() == ["regcred-projector", "True"]


def test_the_database_sorts_by_the_c_locale(deployment: Deployment) -> None:
    ask = (
        "import os, psycopg\n"
        "with psycopg.connect(os.environ['REGCRED_DATABASE_URL']) as c:\n"
        "    found = 'SELECT datcollate FROM pg_database WHERE datname = current_database()'\n"
        "    print(c.execute(found).fetchone()[0], c.info.parameter_status('server_encoding'))\n"
    )
    assert deployment.inside("projector", "python3", "-c", ask).split() == ["C", "UTF8"]


def test_vault_is_audited_and_no_root_token_is_left(deployment: Deployment, account: str) -> None:
    names = deployment.inside("vault-keeper", "ls", "/operator").split()
    assert names == ["unseal.key"]
    with deployment.client() as client:
        body = add_body("team", REGISTRY, USER, PASSWORD)
        assert client.post(f"/v1/accounts/{account}/credentials", json=body).status_code == 201

    def entries(text: str) -> int:
        """The number of entries of the audit log with this text."""
        found = deployment.inside("vault", "grep", "-c", text, "/vault/audit/audit.log", check=False)
        return int(found)

    assert entries(f"regcred/data/accounts/{account}/") > 0
    assert entries(PASSWORD) == 0


def requests_of(deployment: Deployment, index: int) -> int:
    """The number of requests that one replica of the command API has logged."""
    said = deployment.compose("logs", "--no-color", "--no-log-prefix", "--index", str(index), "credentials")
    return said.count('"route"')


def test_more_replicas_share_the_requests(deployment: Deployment, target: Target, account: str) -> None:
    """Every service without state; the state is in the servers."""
    with Load(target, account) as load:
        scale = [f"--scale={service}=3" for service in ("verifier", "credentials", "queries", "console")]
        scale += [f"--scale={service}=2" for service in ("registries", "relay", "projector")]
        deployment.compose("up", "--detach", "--no-build", "--no-recreate", *scale)
        waiting(
            lambda: (
                [len(deployment.containers(service)) for service in OURS] == [3, 2, 3, 2, 2, 3, 3]
                and all(
                    c["State"]["Health"]["Status"] == "healthy"
                    for service in OURS
                    for c in deployment.containers(service)
                )
            ),
            "all of them are healthy",
        )
        for index in (1, 2, 3):
            waiting(partial(requests_of, deployment, index), "each has work")
    check(target, account, load.answered)
    deployment.compose("up", "--detach", "--no-build", *(argument[:-1] + "1" for argument in scale))


def test_health_checks_leave_no_lines_in_the_logs(deployment: Deployment) -> None:
    [database] = deployment.containers("postgres")
    assert database["State"]["Health"]["Status"] == "healthy"
    assert "no pg_hba.conf entry" not in docker_logs(database["Id"])
    assert "pg_hba.conf rejects" not in docker_logs(database["Id"])
    for console in deployment.containers("console"):
        assert "/healthz" not in docker_logs(console["Id"])
