"""Whose address is it: the source table of the edge (kemi.agent.kamailio_files), asked without Kamailio."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from kemi.directory.formats import split_address
from kemi.replay.raw import Address
from kemi.routing.model import MEDIA, Trunk

__all__ = ["SIP_PORT", "Sources"]

SIP_PORT = 5060

_Ip: TypeAlias = IPv4Address | IPv6Address
_Network: TypeAlias = IPv4Network | IPv6Network


class Sources:
    """The addresses of trunks and media servers. The more exact entry wins, as Kamailio finds it."""

    def __init__(self, trunks: Iterable[Trunk], media: Iterable[str]) -> None:
        self._ports: dict[tuple[_Ip, int], str] = {}
        self._hosts: dict[_Ip, str] = {}
        self._networks: list[tuple[_Network, str]] = []
        self._served: set[tuple[_Ip, int]] = set()
        for trunk in trunks:
            for text in trunk.accept_from:
                self._accept(text, trunk.name)
            for uri in trunk.peers:
                self._served.add(_server(uri))
        for uri in media:
            self._ports[_server(uri)] = MEDIA
        self._networks.sort(key=lambda entry: -entry[0].prefixlen)

    def _accept(self, text: str, name: str) -> None:
        host, port, mask = split_address(text)
        network = ip_network(host if mask is None else f"{host}/{mask}")
        if network.prefixlen < network.max_prefixlen:
            self._networks.append((network, name))
        elif port:
            self._ports[network.network_address, port] = name
        else:
            self._hosts[network.network_address] = name

    def exactly(self, address: Address) -> str | None:
        """Who sends from this very address and port."""
        ip, port = _ip(address[0]), address[1] or SIP_PORT
        return None if ip is None else self._ports.get((ip, port))

    def of(self, address: Address) -> str | None:
        """The trunk, or MEDIA, that an address stands for; None for a stranger's."""
        ip = _ip(address[0])
        if ip is None:
            return None
        found = self.exactly(address) or self._hosts.get(ip)
        if found is not None:
            return found
        return next((name for network, name in self._networks if ip in network), None)

    def takes(self, address: Address) -> bool:
        """Whether the edge sends calls to this address, or takes them from it."""
        ip = _ip(address[0])
        return ip is not None and (
            (ip, address[1] or SIP_PORT) in self._served or self.of(address) is not None
        )


def _server(uri: str) -> tuple[_Ip, int]:
    host, port, _ = split_address(uri.removeprefix("sip:").partition(";")[0])
    return ip_address(host.strip("[]")), port or SIP_PORT


@lru_cache(maxsize=4096)
def _ip(host: str) -> _Ip | None:
    """An address as a value; None for a name. An IPv4 address in an IPv6 one is itself."""
    try:
        ip = ip_address(host)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip
