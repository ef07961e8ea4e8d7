"""Secrets of Kubernetes as kubectl prints them: one and several, in JSON and in YAML."""

import base64
import json
from typing import Any

import pytest
import yaml

from chassis.invalid_input import InvalidInput
from registries.input.docker_config import read_config_file, read_docker_config, single_login

Json = dict[str, Any]
DOCKER = "kubernetes.io/dockerconfigjson"


def b64(document: Json) -> str:
    return base64.b64encode(json.dumps(document).encode()).decode()


def secret(name: str, host: str, user: str = "octo", password: str = "pa55") -> Json:
    auths = {host: {"username": user, "password": password}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": DOCKER,
        "metadata": {
            "name": name,
            "namespace": "shop",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"note": "a: b # c\nsecond line"},
        },
        "data": {".dockerconfigjson": b64({"auths": auths})},
    }


def opaque(name: str, type_: str = "Opaque") -> Json:
    return {"kind": "Secret", "type": type_, "metadata": {"name": name}, "data": {"k": "Q0FOQVJZ"}}


def listed(*objects: Json, kind: str = "List") -> Json:
    return {"apiVersion": "v1", "kind": kind, "items": list(objects), "metadata": {"resourceVersion": ""}}


LEGACY = {
    "kind": "Secret",
    "type": "kubernetes.io/dockercfg",
    "metadata": {"name": "legacy"},
    "data": {".dockercfg": b64({"quay.io": {"username": "octo", "password": "pa55"}})},
}
SEVERAL = [secret("pull", "ghcr.io"), opaque("db"), LEGACY, opaque("tls", "kubernetes.io/tls")]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(secret("pull", "ghcr.io"), indent=4),
        yaml.safe_dump(secret("pull", "ghcr.io")),
        "# a comment\r\n---\r\n" + yaml.safe_dump(secret("pull", "ghcr.io")).replace("\n", "\r\n"),
        "\ufeff" + yaml.safe_dump(secret("pull", "ghcr.io")),
        yaml.safe_dump({"auths": {"ghcr.io": {"username": "octo", "password": "pa55"}}}),
    ],
)
def test_one_secret(text: str) -> None:
    entry = single_login(text)
    assert (entry.key, entry.host) == ("ghcr.io", "ghcr.io")
    assert entry.login is not None
    assert entry.login.username == "octo"


@pytest.mark.parametrize(
    "value",
    [
        listed(*SEVERAL),
        json.dumps(listed(*SEVERAL, kind="SecretList")),
        yaml.safe_dump(listed(*SEVERAL)),
        yaml.safe_dump_all(SEVERAL, explicit_start=True),
        "---\n".join(yaml.safe_dump(each) for each in SEVERAL) + "---\n",
        yaml.safe_dump_all([listed(*SEVERAL[:2]), *SEVERAL[2:]]),
    ],
)
def test_several_secrets(value: object) -> None:
    file = read_config_file(value)
    assert [(entry.key, entry.host, entry.problem) for entry in file.entries] == [
        ("shop/pull: ghcr.io", "ghcr.io", None),
        ("legacy: quay.io", "quay.io", None),
    ]
    assert [(left.name, left.reason) for left in file.left_out] == [
        ("db", f"its type is Opaque and not {DOCKER}"),
        ("tls", f"its type is kubernetes.io/tls and not {DOCKER}"),
    ]


def test_what_is_no_secret_is_left_out_and_reveals_nothing() -> None:
    canary = "CANARY 9f8e"
    config_map = {"kind": "ConfigMap", "metadata": {"name": "settings"}}
    broken = {**secret("broken", "ghcr.io"), "data": {".dockerconfigjson": canary}}
    empty = {**secret("empty", "ghcr.io"), "data": {}}
    odd = {"kind": canary, "type": canary, "metadata": {"name": canary}}
    odd_type = {"kind": "Secret", "type": canary, "metadata": {"name": "odd"}}
    file = read_config_file(listed(config_map, broken, empty, odd, odd_type))
    assert file.entries == ()
    assert [left.name for left in file.left_out] == [
        "settings",
        "shop/broken",
        "shop/empty",
        "object 4",
        "odd",
    ]
    assert "it is a ConfigMap and not a Secret" in str(file.left_out[0].reason)
    assert "CANARY" not in repr(file.left_out)
    with pytest.raises(InvalidInput) as refusal:
        read_docker_config(listed(config_map))
    assert refusal.value.problems[0].code == "no_entries"


def test_fields_of_another_type_are_no_names() -> None:
    odd = {"kind": "Secret", "type": {}, "metadata": {"name": [], "namespace": {}}}
    file = read_config_file(listed({"kind": {}}, odd, {"metadata": []}))
    assert [left.name for left in file.left_out] == ["object 1", "object 2", "object 3"]
    with pytest.raises(InvalidInput):
        read_config_file({"kind": {}, "items": [1]})


def test_users_of_several_secrets_are_independent() -> None:
    file = read_config_file(
        listed(
            secret("one", "ghcr.io", "octo"),
            secret("two", "ghcr.io", "hubot"),
            secret("same", "ghcr.io", "octo"),
            secret("a", "quay.io", "octo", "first"),
            secret("b", "quay.io", "octo", "second"),
        )
    )
    assert [entry.problem for entry in file.entries] == [None, None, "repeated", "invalid", "invalid"]
    assert file.entries[2].reason == "the same login as under shop/one: ghcr.io"


ALIASES = "a: &a [x, x]\nb: &b [*a, *a]\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (ALIASES, "malformed"),
        ("auths: &x {}\n", "malformed"),
        ("auths: !!python/object:os.system {}\n", "malformed"),
        ("auths: {}\nauths: {}\n", "malformed"),
        ("? [a]\n: b\n", "malformed"),
        ("a: [", "malformed"),
        ("a: b: c", "malformed"),
        ("- a\n- b\n", "invalid_type"),
        ("a: " + "[" * 5000 + "]" * 5000, "malformed"),
        ("--- {}\n" * 200, "too_large"),
        ("a:\n" + "- x\n" * 60_000, "too_large"),
        ("a: " + "x" * 300_000, "too_large"),
        ("", "malformed"),
        ("# nothing\n", "malformed"),
        ("kind: List\nitems: []\n", "no_entries"),
        ("kind: List\nitems: null\n", "no_entries"),
        ("\x00: a", "malformed"),
    ],
)
def test_an_unusable_document_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_config_file(text, pointer="/x")
    assert [(problem.pointer, problem.code) for problem in refusal.value.problems] == [("/x", code)]


def test_too_many_entries_of_all_secrets_are_refused() -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_config_file(listed(*(secret(f"s{number}", f"r{number}.io") for number in range(101))))
    assert refusal.value.problems[0].code == "too_many"
