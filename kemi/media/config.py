"""Asterisk's configuration, rendered from asterisk/*.conf into the state directory.

    python -m kemi.media.config

prints the directory. Placeholders are `%{name}`, so that Asterisk's own `${...}` stays as it is. Every
value is checked to be free of what Asterisk's parsers treat as syntax (`;`, `,`, `&`, quotes, spaces):
nothing needs escaping, and what would is refused.
"""

import ipaddress
import re
import socket
import string
import struct
import sys
from pathlib import Path

from kemi import settings
from kemi.media import prompts, recordings

TEMPLATES = settings.CHECKOUT / "asterisk"
MODULES = "/usr/lib/*/asterisk/modules"
STEREO = struct.pack("<HIIH", 2, recordings.RATE, recordings.FRAME * recordings.RATE, recordings.FRAME)
"""Channels, samples a second, bytes a second, bytes a frame: what stands at offset 22 of a WAV file."""
EMPTY = ("acl", "ccss", "features", "pjproject", "stasis", "udptl")
"""Files whose defaults are right, but whose absence Asterisk would log as an error at each start."""
HARMLESS = re.compile(r"[A-Za-z0-9_./:@+-]+|\[[0-9a-f:.]+\]:[0-9]+")


class ConfigError(Exception):
    """A setting with which Asterisk cannot be configured; the message says which and what to do."""


class Template(string.Template):
    """`%{name}` and nothing else is a placeholder."""

    delimiter = "%"
    pattern = r"%(?:(?P<escaped>(?!))|(?P<named>(?!))|\{(?P<braced>[a-z_]+)\}|(?P<invalid>(?!)))"  # type: ignore[assignment]


def endpoint(name: str, value: str) -> tuple[str, int]:
    """Take address:port apart; both media server and edge need an address that others can send to."""
    host, _, port = value.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port)
    except ValueError:
        raise ConfigError(f"{name}={value}: write address:port, like 127.0.0.1:5080") from None
    if address.is_unspecified or not 0 < number < 65536:
        raise ConfigError(f"{name}={value}: write the one address and port that the other side sends to")
    return str(address), number


def values(node: settings.Settings) -> dict[str, str]:
    """Give the value of every placeholder; raises ConfigError."""
    home = node.state / "asterisk"
    edge_host, _ = endpoint("FMC_LISTEN", node.listen)
    found = {
        "edge": node.listen,
        "edge_host": edge_host,
        "edge_bits": "128" if ":" in edge_host else "32",
        "listen": node.media_listen,
        "listen_host": endpoint("FMC_MEDIA_LISTEN", node.media_listen)[0],
        "node": node.node,
        "home": str(home),
        "etc": str(home / "etc"),
        "modules": str(next(Path("/").glob(MODULES.lstrip("/")), MODULES)),
        "recordings": str(node.recordings),
        "media_spool": str(node.media_spool),
        "stereo": str(home / "etc" / "stereo-header"),
    }
    for language in prompts.NOTICE:
        # Playback wants the name without its extension.
        found[f"notice_{language}"] = str(prompts.notice(language, home / "sounds").with_suffix(""))
    for name, value in found.items():
        if not HARMLESS.fullmatch(value):
            raise ConfigError(
                f"{name} is {value!r}: in Asterisk's configuration use only letters, digits and _ . / : @ + -"
            )
    return found


def render(node: settings.Settings) -> Path:
    """Write the configuration and make every directory that Asterisk needs; gives the directory."""
    home = node.state / "asterisk"
    known = values(node)
    for path in ("etc", "lib", "log", "run", "spool", "sounds"):
        (home / path).mkdir(parents=True, exist_ok=True)
    node.recordings.mkdir(parents=True, exist_ok=True)
    node.media_spool.mkdir(parents=True, exist_ok=True)
    etc = home / "etc"
    for source in sorted(TEMPLATES.glob("*.conf")):
        (etc / source.name).write_text(Template(source.read_text()).substitute(known))
    (etc / "stereo-header").write_bytes(STEREO)
    for name in EMPTY:
        (etc / f"{name}.conf").touch()
    for language in prompts.NOTICE:
        prompts.synthesise(language, home / "sounds")
    return etc


def check_free(listen: str) -> None:
    """Raise ConfigError when the port is taken: Asterisk would only log it, and then stay up deaf."""
    host, port = endpoint("FMC_MEDIA_LISTEN", listen)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(f"cannot listen on {listen} ({error.strerror}): set FMC_MEDIA_LISTEN") from None


def main() -> int:
    """Render for this node and print where; 1 when it cannot be done, with a line that says why."""
    node = settings.load()
    try:
        etc = render(node)
        check_free(node.media_listen)
    except (ConfigError, prompts.SynthesisError, OSError) as error:
        sys.stderr.write(f"asterisk: {error}\n")
        return 1
    sys.stdout.write(f"{etc}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
