"""The client address is taken from trusted proxies only. Other peers cannot set it."""

import pytest
from flask import Flask, request
from werkzeug.test import Client

from chassis.settings.environment import Settings
from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.trusted_proxies import RESOLVE_INTERVAL_SECONDS, RESOLVED_SECONDS, TrustedProxies
from chassis.web.client_address import client_addresses


class Names:
    """A name server, and the time."""

    def __init__(self, **addresses: set[str]) -> None:
        self.addresses = addresses
        self.lookups = 0
        self.now = 100.0

    def __call__(self, name: str) -> set[str]:
        self.lookups += 1
        return self.addresses.get(name, set())

    def trusted(self, text: str) -> TrustedProxies:
        return TrustedProxies(text, resolve=self, monotonic=lambda: self.now)


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "client"),
    [
        ("", "10.0.0.1", "203.0.113.9", "10.0.0.1"),  # no proxy is trusted
        ("10.0.0.1", "10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.2", "203.0.113.9", "10.0.0.2"),  # an untrusted peer sets the header
        ("10.0.0.1", "10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),  # the browser wrote 6.6.6.6 itself
        (
            "10.0.0.1, 10.0.0.7",
            "10.0.0.1",
            "203.0.113.9,10.0.0.7",
            "203.0.113.9",
        ),  # gateway, console, gateway
        (
            "10.0.0.1",
            "10.0.0.1",
            "203.0.113.9,10.0.0.8",
            "10.0.0.8",
        ),  # an untrusted address claims to be a console
        ("10.0.0.0/24", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),  # all of them are trusted: the first
        ("fd00::/8", "fd00::1", "2001:db8::5", "2001:db8::5"),
        ("10.0.0.1", "::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "203.0.113.9, not-an-address", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", "203.0.113.9:4711", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.1", ",", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_can_set_the_client_address(
    trusted: str, peer: str, forwarded: str, client: str
) -> None:
    assert TrustedProxies(trusted).client(peer, forwarded) == client


def test_host_names_are_resolved_again_after_an_interval() -> None:
    names = Names(gateway={"10.0.0.1"}, console={"10.0.0.7"})
    proxies = names.trusted("gateway,console")
    assert proxies.client("10.0.0.1", "203.0.113.9, 10.0.0.7") == "203.0.113.9"
    assert names.lookups == 2
    names.addresses["console"] = {"10.0.0.8"}
    assert proxies.client("10.0.0.1", "203.0.113.9, 10.0.0.8") == "10.0.0.8"  # the last lookup is recent
    names.now += RESOLVE_INTERVAL_SECONDS
    assert proxies.client("10.0.0.1", "203.0.113.9, 10.0.0.8") == "203.0.113.9"
    assert proxies.client("10.0.0.1", "203.0.113.9, 10.0.0.7") == "10.0.0.7"  # no longer resolved


def test_requests_of_an_unknown_peer_do_not_resolve_names_each_time() -> None:
    names = Names(gateway={"10.0.0.1"})
    proxies = names.trusted("gateway")
    for _ in range(50):
        assert proxies.client("10.0.0.66", "203.0.113.9") == "10.0.0.66"
    assert names.lookups == 1


def test_an_address_is_no_longer_trusted_when_its_name_does_not_resolve_to_it() -> None:
    names = Names(gateway={"10.0.0.1"})
    proxies = names.trusted("gateway")
    assert proxies.client("10.0.0.1", "203.0.113.9") == "203.0.113.9"
    names.addresses["gateway"] = set()
    names.now += RESOLVED_SECONDS
    assert proxies.client("10.0.0.1", "203.0.113.9") == "10.0.0.1"


@pytest.mark.parametrize("text", ["1", "10.0.0.1:80", "10.0.0.1/8", "http://gateway", "*", "-x", "a b"])
def test_an_invalid_proxy_is_refused(text: str) -> None:
    with pytest.raises(InvalidSetting, match="REGCRED_TRUSTED_PROXIES"):
        Settings.from_environment({"REGCRED_TRUSTED_PROXIES": text})


def test_the_application_gets_the_client_address() -> None:
    app = Flask("test")
    app.add_url_rule("/", view_func=lambda: str(request.remote_addr))
    behind = client_addresses(app.wsgi_app, TrustedProxies("10.0.0.1"))
    seen = [
        Client(behind)
        .get(
            "/",
            headers={"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "Forwarded": "for=6.6.6.6"},
            environ_base={"REMOTE_ADDR": peer},
        )
        .text
        for peer in ("10.0.0.1", "10.0.0.2")
    ]
    assert seen == ["203.0.113.9", "10.0.0.2"]
