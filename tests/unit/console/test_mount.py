"""The paths of console and API at one address, and the settings of the console."""

import pytest
from flask import Flask

from chassis.settings.environment import InvalidSetting
from console.mount import serve_mounted
from console.settings import ConsoleSettings


@pytest.mark.parametrize(
    ("path", "accept", "who"),
    [
        ("/v1/providers", "text/html", "api"),
        ("/v1/nothing", "text/html", "api"),
        ("/healthz", "*/*", "api"),
        ("/", "*/*", "console"),
        ("/sign-in", "*/*", "console"),
        ("/accounts/acme", "application/json", "console"),
        ("/nothing", "text/html,*/*", "console"),
        ("/nothing", "application/json", "api"),
        ("/v2/", "*/*", "api"),
    ],
)
def test_each_path_is_served_by_the_api_or_the_console(path: str, accept: str, who: str) -> None:
    api = Flask("an api", static_folder=None)
    api.add_url_rule("/v1/providers", "providers", lambda: "{}")
    api.add_url_rule("/healthz", "healthz", lambda: "{}")
    serve_mounted(api, ConsoleSettings.from_environment({}))
    answer = api.test_client().get(path, headers={"Accept": accept})
    assert ("Content-Security-Policy" in answer.headers) == (who == "console")


def test_addresses_are_read_from_the_environment() -> None:
    settings = ConsoleSettings.from_environment(
        {
            "REGCRED_API_URL": "https://api.example/",
            "REGCRED_CONSOLE_LISTEN": "[::1]:9000",
            "REGCRED_CONSOLE_URL": "https://console.example",
        }
    )
    assert settings.api_url == "https://api.example"
    assert (settings.listen_host, settings.listen_port, settings.tls) == ("::1", 9000, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("REGCRED_API_URL", "api.example"),
        ("REGCRED_API_URL", "https://u:p@api.example"),
        ("REGCRED_API_URL", "https://api.example:port"),
        ("REGCRED_CONSOLE_URL", "ftp://x"),
        ("REGCRED_CONSOLE_LISTEN", "8081"),
    ],
)
def test_an_invalid_setting_is_refused_without_its_credentials(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        ConsoleSettings.from_environment({name: text})
    assert refused.value.name == name
    assert "u:p" not in str(refused.value)
