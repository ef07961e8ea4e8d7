"""Docker configurations, read as Docker and Kubernetes read them."""

import base64
import json
from typing import Any

import pytest

from chassis.invalid_input import InvalidInput
from registries.input.config_entry import ConfigEntry
from registries.input.docker_config import MAX_ENTRIES, read_docker_config, single_login
from tests.support.keyfiles import keyfile


def b64(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def one(fields: object, key: str = "reg.io", **config: object) -> ConfigEntry:
    (entry,) = read_docker_config({"auths": {key: fields}, **config})
    return entry


def login(entry: ConfigEntry) -> tuple[str, str | None, str | None]:
    assert entry.login is not None, entry.reason
    password, token = entry.login.password, entry.login.identity_token
    return (
        entry.login.username,
        None if password is None else password.reveal(),
        None if token is None else token.reveal(),
    )


OCTO = b64("octo:pa55")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"auth": OCTO}, ("octo", "pa55", None)),
        ({"auth": b64("octo:pa5").rstrip("=")}, ("octo", "pa5", None)),
        ({"auth": f"{OCTO[:5]}\r\n{OCTO[5:]}\n"}, ("octo", "pa55", None)),
        ({"auth": b64("octo:pa55\0\0")}, ("octo", "pa55", None)),
        ({"auth": b64("octo:pa:55:")}, ("octo", "pa:55:", None)),
        ({"auth": b64("octo:pä55 x")}, ("octo", "pä55 x", None)),
        ({"auth": b64("robot$acme+deploy:x")}, ("robot$acme+deploy", "x", None)),
        ({"username": "octo", "password": "pa55"}, ("octo", "pa55", None)),
        ({"username": "octo", "password": "pa55", "auth": ""}, ("octo", "pa55", None)),
        ({"username": "octo", "password": "pa55", "auth": OCTO, "email": "a@b"}, ("octo", "pa55", None)),
        ({"username": "octo", "auth": OCTO, "serveraddress": 7, "x": []}, ("octo", "pa55", None)),
        ({"auth": OCTO, "registrytoken": "bearer"}, ("octo", "pa55", None)),
        ({"identitytoken": "t.o.k"}, ("<token>", None, "t.o.k")),
        ({"auth": b64("00000000-0000-0000-0000-000000000000:"), "identitytoken": "t"}, ("<token>", None, "t")),
        ({"username": "<token>", "password": "t"}, ("<token>", None, "t")),
    ],
)  # fmt: skip
def test_entries_with_a_login_are_read(
    fields: dict[str, Any], expected: tuple[str, str | None, str | None]
) -> None:
    entry = one(fields)
    assert login(entry) == expected
    assert entry.reason is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "contains no secret"),
        ({"email": "a@b"}, "contains no secret"),
        ({"auth": None, "username": ""}, "contains no secret"),
        ("octo", "an object"),
        (None, "an object"),
        ({"auth": 5}, "auth: must be a text"),
        ({"password": ["x"]}, "password: must be a text"),
        ({"auth": "not base64!"}, "base64"),
        ({"auth": "_-" + OCTO}, "base64"),
        ({"auth": OCTO + "="}, "base64"),
        ({"auth": OCTO + "A"}, "base64"),
        ({"auth": b64(b"octo:\xff\xfe")}, "UTF-8"),
        ({"auth": b64("octopa55")}, "colon"),
        ({"auth": b64(":pa55")}, "username"),
        ({"auth": b64("octo:")}, "password is empty"),
        ({"auth": b64("octo:\0\0")}, "password is empty"),
        ({"auth": b64("octo:pa55\n")}, "line break"),
        ({"auth": b64("octo:pa\x0755")}, "control characters"),
        ({"auth": b64("octo\x07:pa55")}, "control characters"),
        ({"username": "octo", "password": "\ud800"}, "control characters"),
        ({"username": "octo"}, "both"),
        ({"password": "pa55"}, "both"),
        ({"username": "a:b", "password": "pa55"}, "colon"),
        ({"username": "octo", "password": "other", "auth": OCTO}, "differ"),
        ({"username": "octa", "auth": OCTO}, "differ"),
        ({"registrytoken": "bearer"}, "registrytoken"),
        ({"identitytoken": "a\r\nb"}, "identitytoken"),
        ({"username": "dop_v1_secret", "password": "dop_v1_secret"}, "the secret itself"),
        ({"auth": b64("ghp_" + "a1B2" * 9 + ":x-oauth-basic")}, "token or key"),
        ({"auth": b64("_dcgcr_2_9_0_token:ya29.x")}, "within the hour"),
        ({"auth": b64("_json_key:{}")}, "key file"),
        ({"username": "octo", "password": "x" * 70_000}, "too long"),
    ],
)
def test_entries_without_a_login_have_a_reason(fields: object, reason: str) -> None:
    entry = one(fields)
    assert entry.login is None
    assert entry.reason is not None
    assert reason in entry.reason
    given = fields.values() if isinstance(fields, dict) else ()
    assert not any(isinstance(text, str) and len(text) > 5 and text in str(entry) for text in given)


def test_a_secret_in_a_helper_is_explained() -> None:
    for config in ({"credsStore": "desktop"}, {"credHelpers": {"reg.io": "ecr-login"}}):
        entry = one({}, **config)
        assert entry.login is None
        assert "credsStore or credHelpers" in str(entry.reason)
    (helped,) = read_docker_config({"credHelpers": {"gcr.io": "gcloud"}})
    assert (helped.key, helped.host, helped.login) == ("gcr.io", "gcr.io", None)
    assert "credHelpers" in str(helped.reason)
    with pytest.raises(InvalidInput) as caught:
        read_docker_config({"credsStore": "desktop"})
    assert caught.value.problems[0].code == "no_entries"
    assert "credsStore" in caught.value.problems[0].detail


@pytest.mark.parametrize("username", ["_json_key", "_json_key_base64"])
def test_a_key_file_in_an_entry_is_stored_in_the_common_form(username: str) -> None:
    text = json.dumps(keyfile(), indent=2)
    password = text if username == "_json_key" else b64(text)
    entry = one({"auth": b64(f"{username}:{password}")}, key="https://eu.gcr.io")
    assert login(entry) == ("_json_key", json.dumps(keyfile(), separators=(",", ":")), None)


@pytest.mark.parametrize(
    ("key", "host", "prefix"),
    [
        ("https://index.docker.io/v1/", "docker.io", None),
        ("https://index.docker.io/v1", "docker.io", None),
        ("registry-1.docker.io", "docker.io", None),
        ("docker.io/user", "docker.io", "user"),
        ("https://ghcr.io", "ghcr.io", None),
        ("http://reg:5000", "reg:5000", None),
        ("gcr.io/project/", "gcr.io", "project/"),
        ("REG.io:443", "reg.io", None),
    ],
)
def test_keys_are_parsed_to_host_and_prefix(key: str, host: str, prefix: str | None) -> None:
    entry = one({"auth": OCTO}, key=key)
    assert (entry.key, entry.host, entry.path_prefix) == (key, host, prefix)
    assert login(entry) == ("octo", "pa55", None)
    assert entry.pointer == "/credential/docker_config/auths/" + key.replace("/", "~1")


@pytest.mark.parametrize(
    "key", ["", "*.azurecr.io", "https://octo:hunter2@reg.io/", "hunter2", "reg.io/HUNTER2"]
)
def test_a_key_without_a_valid_host_is_not_repeated(key: str) -> None:
    entry = one({"auth": OCTO}, key=key)
    assert (entry.key, entry.host, entry.login) == ("entry 1", None, None)
    assert entry.pointer == "/credential/docker_config/auths"
    assert "key is not a registry" in str(entry.reason)
    assert "hunter2" not in str(entry).lower()


def test_the_session_of_a_browser_login_is_not_a_credential() -> None:
    entries = read_docker_config({
        "auths": {
            "https://index.docker.io/v1/": {"auth": OCTO},
            "https://index.docker.io/v1/access-token": {"auth": b64("octo:eyJ")},
            "https://index.docker.io/v1/refresh-token": {"auth": b64("octo:v1.r")},
        }
    })  # fmt: skip
    assert [entry.login is not None for entry in entries] == [True, False, False]
    assert "browser login" in str(entries[1].reason)


CONFIG = {"auths": {"ghcr.io": {"auth": OCTO}}}
LEGACY = {"ghcr.io": {"auth": OCTO, "email": "a@b"}}


@pytest.mark.parametrize(
    "value",
    [
        CONFIG,
        CONFIG | {"HttpHeaders": {"X": "y"}, "credsStore": "", "currentContext": "default"},
        json.dumps(CONFIG, indent=1),
        "\ufeff" + json.dumps(CONFIG),
        b64(json.dumps(CONFIG)),
        b64(json.dumps(CONFIG)) + "\n",
        LEGACY,
        json.dumps(LEGACY),
        {"kind": "Secret", "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": b64(json.dumps(CONFIG))}},
        {"kind": "Secret", "stringData": {".dockerconfigjson": json.dumps(CONFIG)}},
        {"kind": "Secret", "type": "kubernetes.io/dockercfg", "data": {".dockercfg": b64(json.dumps(LEGACY))}},
        {".dockerconfigjson": b64(json.dumps(CONFIG))},
        json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {".dockerconfigjson": b64(json.dumps(CONFIG))}}),
    ],
)  # fmt: skip
def test_every_form_of_a_configuration_gives_the_same_login(value: object) -> None:
    entry = single_login(value)
    assert (entry.key, entry.host) == ("ghcr.io", "ghcr.io")
    assert login(entry) == ("octo", "pa55", None)


def test_pointers_exist_in_the_request() -> None:
    broken = {"ghcr.io": {"auth": "!"}}
    places = {
        json.dumps({"auths": broken}): "/x",
        b64(json.dumps(broken)): "/x",
    }
    for text, pointer in places.items():
        assert read_docker_config(text, pointer="/x")[0].pointer == pointer
    assert read_docker_config({"auths": broken}, pointer="/x")[0].pointer == "/x/auths/ghcr.io"
    assert read_docker_config(broken, pointer="/x")[0].pointer == "/x/ghcr.io"
    secret = {"kind": "Secret", "stringData": {".dockercfg": json.dumps(broken)}}
    assert read_docker_config(secret, pointer="/x")[0].pointer == "/x"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "invalid_type"),
        (7, "invalid_type"),
        ([CONFIG], "invalid_type"),
        ("[]", "invalid_type"),
        ({"auths": []}, "no_entries"),
        ({"auths": ["ghcr.io"]}, "invalid_type"),
        ({"auths": None}, "no_entries"),
        ({}, "no_entries"),
        ({"ghcr.io": {}}, "no_entries"),
        ({"kind": "Secret", "data": {"password": "eA=="}}, "no_entries"),
        ({"kind": "Secret", "data": {".dockerconfigjson": "!"}}, "malformed"),
        ("not json", "malformed"),
        ('{"auths": {}, "auths": {}}', "malformed"),
        ({"auths": {"a.io": {"x": [[[[[[[[[[[[]]]]]]]]]]]]}}}, "malformed"),
        ('{"a":' * 9000, "malformed"),
        ({"auths": {"a.io": {"auth": "A" * 300_000}}}, "too_large"),
        ("A" * 400_000, "too_large"),
        ({"auths": {"a.io": [0] * 20_000}}, "too_large"),
        ({"auths": {f"r{i}.io": {} for i in range(MAX_ENTRIES + 1)}}, "too_many"),
    ],
)
def test_an_invalid_configuration_is_refused(value: object, code: str) -> None:
    for read in (read_docker_config, single_login):
        with pytest.raises(InvalidInput) as caught:
            read(value)
        (problem,) = caught.value.problems
        assert (problem.pointer, problem.code) == ("/credential/docker_config", code)


def test_two_spellings_of_one_host_with_the_same_login_are_one_entry() -> None:
    entries = read_docker_config(
        {"auths": {"https://index.docker.io/v1/": {"auth": OCTO}, "docker.io": {"auth": OCTO}}}
    )
    assert [entry.login is not None for entry in entries] == [True, False]
    assert "the same login as under https://index.docker.io/v1/" in str(entries[1].reason)
    assert (
        single_login({"auths": {"ghcr.io": {"auth": OCTO}, "https://ghcr.io": {"auth": OCTO}}}).key
        == "ghcr.io"
    )


def test_two_spellings_of_one_host_with_different_secrets_are_unusable() -> None:
    auths = {
        "ghcr.io": {"auth": OCTO},
        "https://ghcr.io": {"auth": b64("octo:other")},
        "quay.io": {"auth": OCTO},
    }
    entries = read_docker_config({"auths": auths})
    assert [entry.login is not None for entry in entries] == [False, False, True]
    assert "different secrets" in str(entries[0].reason)


def test_paths_of_one_host_are_separate_entries() -> None:
    auths = {
        "gcr.io/a": {"auth": OCTO},
        "gcr.io/b": {"auth": b64("octo:other")},
        "gcr.io": {"auth": b64("octo:3")},
    }
    assert all(entry.login for entry in read_docker_config({"auths": auths}))


def test_the_only_login_is_found_among_unusable_entries() -> None:
    auths = {"quay.io": {}, "ghcr.io": {"auth": OCTO}, "*.bad": {"auth": OCTO}}
    assert single_login({"auths": auths}).host == "ghcr.io"


def test_several_logins_are_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        single_login({"auths": {"quay.io": {"auth": OCTO}, "ghcr.io": {"auth": OCTO}}})
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == ("/credential/docker_config", "several_logins")


def test_a_configuration_without_a_login_reports_every_entry() -> None:
    with pytest.raises(InvalidInput) as caught:
        single_login(
            {"auths": {"quay.io": {}, "https://ghcr.io": {"auth": "!"}}, "credHelpers": {"gcr.io": "x"}}
        )
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [
        ("/credential/docker_config/auths/quay.io", "no_usable_login"),
        ("/credential/docker_config/auths/https:~1~1ghcr.io", "no_usable_login"),
        ("/credential/docker_config/auths", "no_usable_login"),
    ]
    assert "base64" in caught.value.problems[1].detail
