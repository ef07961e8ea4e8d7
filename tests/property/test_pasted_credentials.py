"""Any Docker configuration or key file is parsed, or refused without being repeated."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.invalid_input import InvalidInput
from registries.hosts import config_key
from registries.input.config_entry import ConfigEntry
from registries.input.docker_config import read_docker_config, single_login
from registries.input.keyfile import read_keyfile
from tests.support.keyfiles import keyfile

# Upper case: a host's name, which may be repeated, is lower case by the time that it is one.
CANARY = "CANARY-9f8e7d"

TEXTS = st.text(max_size=30) | st.sampled_from([
    CANARY,
    f"octo:{CANARY}",
    base64.b64encode(f"octo:{CANARY}".encode()).decode(),
    base64.b64encode(f"{CANARY}:octo".encode()).decode(),
    base64.b64encode(f"octo{CANARY}".encode()).decode(),
    base64.b64encode(f"_json_key:{CANARY}".encode()).decode(),
    base64.b64encode(f"<token>:{CANARY}\n".encode()).decode(),
    f"{CANARY}\n",
    f"ghp_{CANARY * 4}",
    "octo",
    "_json_key",
    "<token>",
    "service_account",
])  # fmt: skip
KEYS = TEXTS | st.sampled_from([
    "auths", "auth", "username", "password", "identitytoken", "registrytoken", "credHelpers", "credsStore", "kind",
    "data", "stringData", ".dockerconfigjson", ".dockercfg", "ghcr.io", "https://index.docker.io/v1/", "reg:5000/a",
    f"https://octo:{CANARY}@reg.io/", f"reg.io/{CANARY}", "type", "private_key", "private_key_id", "client_email",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=6),
    max_leaves=25,
)
ENTRIES = st.dictionaries(
    st.sampled_from(["auth", "username", "password", "identitytoken", "registrytoken", "email"]), TEXTS | JSON
)
CONFIGS = st.fixed_dictionaries(
    {
        "auths": st.dictionaries(
            st.sampled_from(["ghcr.io", "reg:5000/a", "docker.io"]) | KEYS, ENTRIES, max_size=4
        )
    },
    optional={"credsStore": JSON, "credHelpers": st.dictionaries(KEYS, TEXTS, max_size=2) | JSON},
)
ANYTHING = JSON | CONFIGS | st.dictionaries(KEYS, ENTRIES, max_size=3)


def written(value: object, how: str) -> object:
    if how == "object":
        return value
    text = json.dumps(value)
    return text if how == "text" else base64.b64encode(text.encode()).decode()


def silent(refusal: InvalidInput) -> None:
    shown = f"{refusal} {refusal!r} {refusal.problems}"
    assert refusal.problems
    assert CANARY.lower() not in shown.lower()
    assert base64.b64encode(CANARY.encode()).decode()[:12] not in shown


def well_formed(entry: ConfigEntry) -> None:
    assert (entry.login is None) == (entry.reason is not None)
    assert CANARY.lower() not in str(entry.reason).lower()
    assert (entry.host is None) <= (entry.login is None)
    if entry.login is not None:
        assert entry.login.from_secret(entry.login.to_secret()) == entry.login


@given(ANYTHING, st.sampled_from(["object", "text", "base64"]))
def test_a_docker_configuration_is_parsed_or_refused_without_its_content(value: object, how: str) -> None:
    for read in (read_docker_config, lambda it: (single_login(it),)):
        try:
            entries = read(written(value, how))
        except InvalidInput as refusal:
            silent(refusal)
            continue
        assert entries
        for entry in entries:
            well_formed(entry)


@given(
    JSON | st.dictionaries(KEYS, JSON).map(lambda changes: keyfile() | changes),
    st.sampled_from(["object", "text", "base64"]),
)
def test_a_key_file_is_parsed_or_refused_without_its_content(value: object, how: str) -> None:
    try:
        login = read_keyfile(written(value, how))
    except InvalidInput as refusal:
        silent(refusal)
        return
    assert login.username == "_json_key"
    assert login.password is not None
    assert read_keyfile(login.password.reveal()) == login


@given(st.text() | st.binary().map(lambda raw: base64.b64encode(raw).decode()))
def test_random_text_is_refused(text: str) -> None:
    for read in (read_docker_config, read_keyfile):
        with pytest.raises(InvalidInput):
            read(text)


PASSWORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40).map(
    lambda it: it + CANARY
)
USERNAMES = st.from_regex(r"[a-z][a-z0-9$+.@-]{0,30}", fullmatch=True)
HOSTS = st.sampled_from(
    ["docker.io", "ghcr.io", "reg.io:5000", "[2001:db8::1]:5000", "eu.gcr.io", "localhost"]
)


@given(
    st.dictionaries(HOSTS, st.tuples(USERNAMES, PASSWORDS), min_size=1),
    st.sampled_from(["auth", "fields", "both"]),
    st.sampled_from(["object", "text", "base64"]),
)
def test_written_logins_are_read_back(logins: dict[str, tuple[str, str]], form: str, how: str) -> None:
    auths: dict[str, Any] = {}
    for host, (username, password) in logins.items():
        auth = {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}
        fields = {"username": username, "password": password}
        auths[config_key(host)] = {"auth": auth, "fields": fields, "both": auth | fields}[form]
    entries = read_docker_config(written({"auths": auths}, how))
    read = {
        entry.host: (entry.login.username, entry.login.password and entry.login.password.reveal())
        for entry in entries
        if entry.login is not None
    }
    assert read == logins
