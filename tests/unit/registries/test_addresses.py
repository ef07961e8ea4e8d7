"""Addresses that may be dialled: every special range in every notation, and the exceptions of the operator."""

from ipaddress import ip_address

import pytest

from registries.dialer.addresses import InvalidPolicy, NetworkPolicy, embedded, is_public

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.167.1.1",
          "198.17.0.1", "198.20.0.1", "223.255.255.255", "2606:4700:4700::1111", "2a00:1450::1",
          "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"]  # fmt: skip
NOT_PUBLIC = {
    "unspecified": ["0.0.0.0", "0.1.2.3", "::"],
    "loopback": ["127.0.0.1", "127.255.255.255", "::1"],
    "private": ["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"],
    "link-local": ["169.254.0.1", "169.254.255.255", "fe80::1", "febf::1", "fe80::1%eth0"],
    "metadata": ["169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"],
    "Azure's agent": ["168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::168.63.129.16"],
    "CGNAT": ["100.64.0.1", "100.127.255.255"],
    "IETF protocols": ["192.0.0.1", "192.0.0.9", "192.0.0.170", "192.0.0.255"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"],
    "benchmarks": ["198.18.0.1", "198.19.255.255", "2001:2::1"],
    "6to4 relays": ["192.88.99.1"],
    "multicast": ["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"],
    "reserved": ["240.0.0.1", "255.255.255.255", "4000::1", "5f00::1", "::7f00:1", "::2"],
    "unique local": ["fc00::1", "fdff::1"],
    "site-local": ["fec0::1"],
    "discard": ["100::1"],
    "ORCHID": ["2001:10::1", "2001:20::1"],
    "Teredo": ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    "mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0"],
    "translated": ["::ffff:0:127.0.0.1"],
    "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::"],
    "NAT64": ["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::100.64.0.1"],
    "local NAT64": ["64:ff9b:1::1", "64:ff9b:1::8.8.8.8"],
    "with a zone": ["2606:4700:4700::1111%eth0", "::1%lo"],
}  # fmt: skip
NOTHING = NetworkPolicy()


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_permitted(text: str) -> None:
    assert is_public(ip_address(text))
    assert NOTHING.permits("reg.example", 443, ip_address(text))


@pytest.mark.parametrize(
    ("kind", "text"), [(kind, text) for kind, texts in NOT_PUBLIC.items() for text in texts]
)
def test_addresses_that_are_not_public_are_refused(kind: str, text: str) -> None:
    assert not is_public(ip_address(text)), kind
    assert not NOTHING.permits("reg.example", 443, ip_address(text))


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("2002:a01:203::1", "10.1.2.3"),
        ("64:ff9b::a01:203", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("2606:4700::1", "2606:4700::1"),
    ],
)
def test_an_embedded_ipv4_address_is_found(text: str, inner: str) -> None:
    assert embedded(ip_address(text)) == ip_address(inner)


@pytest.mark.parametrize(
    ("allow", "host", "port", "address"),
    [
        ("10.0.0.0/8", "reg.corp", 443, "10.1.2.3"),
        ("10.0.0.0/8", "reg.corp", 5000, "::ffff:10.1.2.3"),
        ("10.0.0.0/8", "reg.corp", 443, "64:ff9b::10.1.2.3"),
        ("10.1.2.3", "10.1.2.3", 5000, "10.1.2.3"),
        ("fd00::/8", "reg.corp", 443, "fd12::1"),
        ("::1", "[::1]", 5000, "::1"),
        ("[::1]", "::1", 5000, "::1"),
        ("[::1]:5000", "[::1]", 5000, "::1"),
        ("[0:0:0:0:0:0:0:1]:5000", "::1", 5000, "::1"),
        ("reg.corp", "reg.corp", 443, "10.1.2.3"),
        ("reg.corp", "REG.corp.", 5000, "10.1.2.3"),
        (" REG.corp. ,", "reg.corp", 5000, "10.1.2.3"),
        ("reg.corp:5000", "reg.corp", 5000, "10.1.2.3"),
        ("127.0.0.1:5000", "127.0.0.1", 5000, "127.0.0.1"),
        ("192.0.2.0/24,reg.corp:5000", "reg.corp", 5000, "10.1.2.3"),
    ],
)
def test_addresses_that_the_operator_lists_are_permitted(
    allow: str, host: str, port: int, address: str
) -> None:
    assert NetworkPolicy.parse(allow, "").permits(host, port, ip_address(address))
    assert not NOTHING.permits(host, port, ip_address(address))


@pytest.mark.parametrize(
    ("allow", "host", "port", "address"),
    [
        ("10.0.0.0/8", "reg.corp", 443, "192.168.0.1"),
        ("10.0.0.0/8", "reg.corp", 443, "169.254.169.254"),
        ("10.0.0.0/8", "reg.corp", 443, "::1"),
        ("reg.corp:5000", "reg.corp", 443, "10.1.2.3"),
        ("reg.corp", "evil.reg.corp", 443, "10.1.2.3"),
        ("reg.corp", "reg.corp.evil", 443, "10.1.2.3"),
        ("127.0.0.1:5000", "127.0.0.1", 5001, "127.0.0.1"),
        ("127.0.0.1:5000", "evil.example", 5000, "127.0.0.1"),
        ("fd00::/8", "reg.corp", 443, "fc00::1"),
        ("::/0", "reg.corp", 443, "10.0.0.1"),
    ],
)
def test_addresses_that_the_operator_does_not_list_are_refused(
    allow: str, host: str, port: int, address: str
) -> None:
    assert not NetworkPolicy.parse(allow, "").permits(host, port, ip_address(address))


def test_http_is_allowed_for_endpoints_and_permits_no_address() -> None:
    policy = NetworkPolicy.parse("", "reg.corp:5000, [::1]:80, 127.0.0.1:443")
    assert policy.scheme_for("reg.corp:5000") == "http"
    assert policy.scheme_for("REG.corp:5000") == "http"
    assert policy.scheme_for("[::1]:80") == "http"
    assert policy.scheme_for("127.0.0.1") == "http"
    for other in ("reg.corp", "reg.corp:443", "reg.corp:5001", "evil.reg.corp:5000", "[::1]", "ghcr.io"):
        assert policy.scheme_for(other) == "https"
    assert not policy.permits("reg.corp", 5000, ip_address("10.0.0.1"))


@pytest.mark.parametrize(
    "entry",
    ["http://reg.corp", "reg.corp/24", "10.0.0.1/8", "*.corp", "*", "u@reg.corp", "reg.corp:", "reg.corp:0",
     "reg.corp:70000", "reg.corp:x", ":5000", "[::1", "[::1]5000", "a b", "10.0.0.0/33"],
)  # fmt: skip
def test_invalid_entries_are_refused(entry: str) -> None:
    with pytest.raises(InvalidPolicy) as refusal:
        NetworkPolicy.parse(f"10.0.0.0/8,{entry}", "")
    assert refusal.value.entry == entry


@pytest.mark.parametrize("entry", ["reg.corp", "10.0.0.0/8", "http://reg.corp:80", "[::1]", "*:80"])
def test_invalid_entries_for_http_are_refused(entry: str) -> None:
    with pytest.raises(InvalidPolicy):
        NetworkPolicy.parse("", entry)


def test_empty_lists_allow_nothing() -> None:
    assert NetworkPolicy.parse("", "") == NetworkPolicy.parse(" , ", ",") == NOTHING
