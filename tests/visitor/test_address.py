from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_attribution.visitor.request_data import client_address, public_address, sender

CLIENT, OTHER = "81.2.69.142", "89.160.20.112"
CLIENT_6 = "2a02:8108:1234::1"
PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "fd00::/8")))
CDN = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "fd00::/8", "173.245.48.0/20", "2400:cb00::/32")))


@pytest.mark.parametrize(
    ("remote", "forwarded", "trusted", "found"),
    [
        # Nobody is trusted: the peer is the client, whatever it says.
        (CLIENT, "", (), CLIENT),
        (CLIENT, OTHER, (), CLIENT),
        (CLIENT, OTHER, PRIVATE, CLIENT),
        (CLIENT_6, "", (), CLIENT_6),
        # One proxy, and what a client put before it.
        ("10.0.0.1", CLIENT, PRIVATE, CLIENT),
        ("10.0.0.1", f"{OTHER}, {CLIENT}", PRIVATE, CLIENT),
        ("10.0.0.1", f"10.0.0.9, {CLIENT}", PRIVATE, CLIENT),
        ("10.0.0.1", f"garbage, ,{CLIENT}", PRIVATE, CLIENT),
        # A chain of them.
        ("10.0.0.1", f"{OTHER}, {CLIENT}, 10.0.0.3, 10.0.0.2", PRIVATE, CLIENT),
        ("10.0.0.1", f"{CLIENT}, 173.245.48.7", CDN, CLIENT),
        ("10.0.0.1", f"{CLIENT}, 173.245.48.7", PRIVATE, "173.245.48.7"),
        ("fd00::1", f"{CLIENT_6}, 2400:cb00::5", CDN, CLIENT_6),
        # Forms of writing it.
        ("10.0.0.1", f"{CLIENT}:55123", PRIVATE, CLIENT),
        ("10.0.0.1", f"[{CLIENT_6}]:443", PRIVATE, CLIENT_6),
        ("10.0.0.1", f'"[{CLIENT_6}]"', PRIVATE, CLIENT_6),
        ("10.0.0.1", f"::ffff:{CLIENT}", PRIVATE, CLIENT),
        ("::ffff:10.0.0.1", CLIENT, PRIVATE, CLIENT),
        # Nothing to believe.
        ("10.0.0.1", "", PRIVATE, ""),
        ("10.0.0.1", "unknown", PRIVATE, ""),
        ("10.0.0.1", f"{CLIENT}, unknown", PRIVATE, ""),
        ("10.0.0.1", f"{CLIENT},", PRIVATE, ""),
        ("not an address", CLIENT, PRIVATE, ""),
        # A Unix socket has no address; a proxy of ours speaks there, if we have one.
        ("", CLIENT, PRIVATE, CLIENT),
        ("", f"{OTHER}, {CLIENT}", PRIVATE, CLIENT),
        ("", CLIENT, (), ""),
        ("", "", PRIVATE, ""),
        # A proxy is not the visitor, not even one with a public address.
        ("173.245.48.7", "", CDN, ""),
        ("10.0.0.1", "173.245.48.7", CDN, ""),
        # Addresses that mean nothing outside.
        ("192.168.1.5", "", (), ""),
        ("127.0.0.1", "", (), ""),
        ("fe80::1%eth0", "", (), ""),
        ("10.0.0.1", "192.168.1.5", PRIVATE, ""),
        ("224.0.0.1", "", (), ""),
        ("0.0.0.0", "", (), ""),  # noqa: S104 -- an address to refuse
    ],
)
def test_the_visitors_address(
    remote: str, forwarded: str, trusted: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...], found: str
) -> None:
    assert client_address(remote, forwarded, trusted) == found


addresses = st.ip_addresses().map(str)
hops = st.one_of(addresses, st.sampled_from(["10.0.0.7", "unknown", "", "[::1]:5", "1.2.3.4:5"]), st.text(max_size=20))
clients = st.ip_addresses().filter(
    lambda one: not any(one in network for network in PRIVATE if one.version == network.version)
)


@given(
    forged=st.lists(hops, max_size=6),
    client=clients,
    inner=st.lists(st.sampled_from(["10.0.0.2", "fd00::2"]), max_size=3),
)
def test_what_a_client_puts_before_its_address_never_changes_the_answer(
    forged: list[str], client: ipaddress.IPv4Address | ipaddress.IPv6Address, inner: list[str]
) -> None:
    honest = ", ".join([str(client), *inner])
    assert client_address("10.0.0.1", ",".join([*forged, honest]), PRIVATE) == client_address(
        "10.0.0.1", honest, PRIVATE
    )


@given(remote=clients, forwarded=st.lists(hops, max_size=6).map(",".join))
def test_who_is_no_trusted_proxy_can_not_choose_an_address(
    remote: ipaddress.IPv4Address | ipaddress.IPv6Address, forwarded: str
) -> None:
    assert client_address(str(remote), forwarded, PRIVATE) == client_address(str(remote), "", PRIVATE)


@given(remote=st.text(max_size=30), forwarded=st.text(max_size=60))
def test_garbage_never_raises_and_gives_a_public_address_or_none(remote: str, forwarded: str) -> None:
    found = client_address(remote, forwarded, PRIVATE)
    assert found == "" or ipaddress.ip_address(found).is_global


@pytest.mark.parametrize(
    ("text", "found"), [(CLIENT, CLIENT), ("10.0.0.1", ""), ("jane", ""), ("", ""), (f" {CLIENT_6.upper()} ", CLIENT_6)]
)
def test_a_given_address_is_public_or_dropped(text: str, found: str) -> None:
    assert public_address(text) == found


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("remote", "forwarded", "trusted", "found"),
    [
        (CLIENT, OTHER, (), CLIENT),
        (CLIENT, OTHER, PRIVATE, CLIENT),
        ("10.0.0.1", f"{OTHER}, {CLIENT}", PRIVATE, CLIENT),
        # Private, or not to be known: the last one that somebody trusted has named.
        ("192.168.7.7", OTHER, PRIVATE, "192.168.7.7"),
        ("10.0.0.1", "192.168.7.7", PRIVATE, "192.168.7.7"),
        ("10.0.0.1", f"{OTHER}, garbage", PRIVATE, "10.0.0.1"),
        ("10.0.0.1", f"{OTHER}, garbage, 10.0.0.2", PRIVATE, "10.0.0.2"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", PRIVATE, "10.0.0.3"),
        ("10.0.0.1", "", PRIVATE, "10.0.0.1"),
        # A Unix socket has no peer.
        ("", f"{OTHER}, {CLIENT}", PRIVATE, CLIENT),
        ("", CLIENT, (), ""),
        ("", "", PRIVATE, ""),
        # One subscriber's network of the sixth version is one sender.
        (CLIENT_6, "", (), "2a02:8108:1234::/64"),
        ("2a02:8108:1234:0:ffff::9", "", (), "2a02:8108:1234::/64"),
        ("2a02:8108:1234:1::1", "", (), "2a02:8108:1234:1::/64"),
        ("fd00::1", CLIENT_6, PRIVATE, "2a02:8108:1234::/64"),
        (f"::ffff:{CLIENT}", "", (), CLIENT),
        ("garbage", "", (), "garbage"),
    ],
)
def test_whom_a_rate_limit_counts(remote: str, forwarded: str, trusted: tuple[Any, ...], found: str) -> None:
    assert sender(remote, forwarded, trusted) == found


@pytest.mark.hostile
@given(st.text(max_size=80), st.text(max_size=20))
def test_no_header_of_a_peer_that_is_not_trusted_makes_another_sender(forwarded: str, remote: str) -> None:
    assert sender(CLIENT, forwarded, PRIVATE) == CLIENT
    assert isinstance(sender(remote, forwarded, PRIVATE), str)
