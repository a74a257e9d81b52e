"""The lists that Kamailio loads: who may speak (module permissions) and where calls go (dispatcher)."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

from kemi.directory.formats import split_address
from kemi.directory.snapshot import MEDIA_SET
from kemi.routing.model import MEDIA, Trunk

GROUP = 1
"""All sources are one group of the address list: one look tells who it is, by the tag."""

SIP_PORT = 5060

_HEAD = "# Written by the sync agent: changes made here are lost.\n"


def address_list(trunks: Iterable[Trunk], media: Iterable[str]) -> str:
    """Lines of `group address mask port tag`; the tag is the trunk's name, port 0 any port.

    Kamailio (6.1, modules/permissions/hash.c) tries single addresses from the last line to the first and
    takes the first network that holds an address: so the more exact line of two stands where it is found.
    """
    lines = [_address_line(text, trunk.name) for trunk in trunks for text in trunk.accept_from] + [
        _address_line(_host_and_port(uri), MEDIA) for uri in media
    ]
    single = sorted((line for line in lines if line.single), key=lambda line: line.port != 0)
    networks = sorted((line for line in lines if not line.single), key=lambda line: -line.mask)
    return _HEAD + "".join(f"{line}\n" for line in (*single, *networks))


class _Line:
    def __init__(self, address: str, mask: int, port: int, tag: str) -> None:
        self.mask = mask
        self.port = port
        self.single = mask == ip_address(address).max_prefixlen
        self._text = f"{GROUP} {address} {mask} {port} {tag}"

    def __str__(self) -> str:
        return self._text


def _address_line(text: str, tag: str) -> _Line:
    host, port, mask = split_address(text)
    network = ip_network(host if mask is None else f"{host}/{mask}")
    return _Line(str(network.network_address), network.prefixlen, port or 0, tag)


def _host_and_port(uri: str) -> str:
    """The address a server's SIP URI stands for, with the port that SIP means where none is written."""
    host, port, _ = split_address(uri.removeprefix("sip:").partition(";")[0])
    return f"[{host}]:{port or SIP_PORT}"


def dispatcher_list(trunks: Iterable[Trunk], sets: Mapping[str, int], media: Sequence[str]) -> str:
    """Lines of `set uri flags priority`: the peers of a trunk in its order, which algorithm 8 keeps."""
    lines = [f"{MEDIA_SET} {uri} 0 0" for uri in media]
    for trunk in trunks:
        lines += (
            f"{sets[trunk.name]} {uri} 0 {len(trunk.peers) - index}" for index, uri in enumerate(trunk.peers)
        )
    return _HEAD + "".join(f"{line}\n" for line in lines)
