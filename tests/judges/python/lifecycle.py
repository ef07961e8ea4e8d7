"""The life of a credential, with the client that openapi-python-client generates from the document.

Arguments: the address of a running regcred. The token is in the variable TOKEN. Prints the steps as JSON.
"""

import json
import os
import sys
from typing import Any

from regcred_client.api.access import remove_credential, restrict_credential
from regcred_client.api.commands import add_credential, change_credential, rotate_secret
from regcred_client.api.pull_secrets import issue_pull_secret
from regcred_client.api.queries import get_credential, list_credentials
from regcred_client.api.resolutions import resolve_image
from regcred_client.client import AuthenticatedClient
from regcred_client.models.add import Add
from regcred_client.models.change import Change
from regcred_client.models.problem import Problem
from regcred_client.models.pull_secret_input import PullSecretInput
from regcred_client.models.resolution_input import ResolutionInput
from regcred_client.models.restrictions import Restrictions
from regcred_client.models.rotate import Rotate

ACCOUNT = "judged-python"
IMAGE = "registry.example.com/acme/shop:1.4"


def login(password: str) -> dict[str, str]:
    return {"kind": "username_password", "username": "octo", "password": password}


def main(address: str) -> dict[str, Any]:
    client = AuthenticatedClient(base_url=address, token=os.environ["TOKEN"])
    steps: dict[str, Any] = {}

    def add(name: str) -> Any:
        registry = {"provider": "custom", "registry_url": "registry.example.com"}
        body = Add.from_dict({"name": name, **registry, "credential": login("one")})
        added = add_credential.sync_detailed(ACCOUNT, client=client, body=body, idempotency_key=f"add-{name}")
        steps[f"add {name}"] = added.status_code.value
        return added

    add("first")
    added = add("second")
    key = added.parsed.id
    read = get_credential.sync_detailed(
        ACCOUNT, key, client=client, regcred_wait_for=added.headers["Regcred-Position"]
    )
    steps["read"] = [read.status_code.value, read.parsed.name, read.parsed.scope.pull]
    stale = change_credential.sync_detailed(
        ACCOUNT, key, client=client, body=Change(name="renamed"), if_match='"7"'
    )
    assert isinstance(stale.parsed, Problem)
    steps["stale"] = [stale.status_code.value, stale.parsed.code]
    changed = change_credential.sync_detailed(
        ACCOUNT, key, client=client, body=Change(name="renamed"), if_match=read.headers["ETag"]
    )
    steps["change"] = [changed.status_code.value, changed.parsed.name]
    rotated = rotate_secret.sync_detailed(
        ACCOUNT,
        key,
        client=client,
        body=Rotate.from_dict({"credential": login("two")}),
        if_match=changed.headers["ETag"],
    )
    steps["rotate"] = [rotated.status_code.value, rotated.parsed.secret_version]
    restricted = restrict_credential.sync_detailed(
        ACCOUNT,
        key,
        client=client,
        body=Restrictions(restricted=True, projects=["shop"]),
        if_match=rotated.headers["ETag"],
    )
    steps["restrict"] = [restricted.status_code.value, restricted.parsed.restrictions.projects]
    resolved = resolve_image.sync_detailed(
        ACCOUNT, client=client, body=ResolutionInput(image=IMAGE, project_id="shop")
    )
    steps["resolve"] = [resolved.status_code.value, resolved.parsed.selected.credential_id == key]
    wanted = PullSecretInput.from_dict(
        {
            "images": [IMAGE],
            "project_id": "shop",
            "workload": {"kind": "deployment", "name": "web"},
            "format": "docker_config",
        }
    )
    issued = issue_pull_secret.sync_detailed(ACCOUNT, client=client, body=wanted)
    steps["pull secret"] = [issued.status_code.value, list(issued.parsed.docker_config["auths"])]
    names, cursor = [], None
    while True:
        page = list_credentials.sync_detailed(
            ACCOUNT,
            client=client,
            limit=1,
            **({"cursor": cursor} if cursor else {}),
            regcred_wait_for=restricted.headers["Regcred-Position"],
        )
        names += [item.name for item in page.parsed.items]
        cursor = page.parsed.next_cursor
        if cursor is None:
            break
    steps["list"] = names
    used = remove_credential.sync_detailed(ACCOUNT, key, client=client, if_match=restricted.headers["ETag"])
    steps["remove"] = [used.status_code.value, used.parsed.code]
    removed = remove_credential.sync_detailed(
        ACCOUNT, key, client=client, if_match=restricted.headers["ETag"], force=True, reason="judged"
    )
    steps["force"] = removed.status_code.value
    return steps


print(json.dumps(main(sys.argv[1])))
