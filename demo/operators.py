"""Simulated operators: SIPp processes that behave as the trunks of demo.yaml do, with real audio.

Every party has the tone of the last digit of its number, so whoever is heard can be told by measuring.
A peer's process (the address calls are sent to) answers; callers are processes of their own, each on an
address of the trunk's network, because one SIPp process plays one scenario on one port.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from demo import audio
from demo.processes import Process, stop_all
from demo.sip import Address, answers_options

SIPP = Path(__file__).parent / "sipp"
EDGE: Address = ("127.0.0.1", 5060)
TONES = (420, 500, 580, 660, 740, 860, 940, 1060, 1180, 1300)
"""Hertz, by the last digit of a party's number. Multiples of 20 Hz, none a harmonic of another."""
TONE_SECONDS = 1.0
"""The length of a tone's file; it is repeated, and holds whole periods."""
READY_SECONDS = 10.0

MVNO: Address = ("127.0.0.1", 6060)
LANDLINE: Address = ("127.0.0.1", 6061)
WHOLESALE: Address = ("127.0.0.1", 6062)
WHOLESALE_SPARE: Address = ("127.0.0.1", 6063)
PEERS: Mapping[str, Address] = {
    "mvno-main": MVNO,
    "legacy-landline": LANDLINE,
    "wholesale": WHOLESALE,
    "wholesale-spare": WHOLESALE_SPARE,
}


class OperatorError(Exception):
    """A simulated operator did not start, or ended."""


def tone_of(number: str) -> int:
    """Give the frequency at which the party with this number is heard."""
    return TONES[int(number[-1])]


def write_tones(directory: Path) -> None:
    """Write the tones' files, and tone.alaw for a party without a number."""
    directory.mkdir(parents=True, exist_ok=True)
    for digit, hertz in enumerate(TONES):
        audio.write_g711(directory / f"tone{digit}.alaw", audio.tone(hertz, TONE_SECONDS))
    audio.write_g711(directory / "tone.alaw", audio.tone(300, TONE_SECONDS))


class Operators:
    """The answering side of all trunks; ready when `start` returns."""

    def __init__(self, directory: Path, peers: Mapping[str, Address] = PEERS) -> None:
        self.tones = directory / "tones"
        self._peers = peers
        self.parts = [
            Process(
                name,
                self._command(directory, name, address, first_media_port=20000 + 500 * index),
                directory / f"{name}.out",
            )
            for index, (name, address) in enumerate(peers.items())
        ]

    def _command(
        self, directory: Path, name: str, address: Address, *, first_media_port: int
    ) -> Sequence[str]:
        # All peers are on one host: their media ports must not meet.
        return [
            *_sipp(SIPP / "operator.xml", address, first_media_port, directory / f"{name}.errors"),
            "-aa",
            *("-key", "tones", str(self.tones)),
            *("-key", "broken", "yes" if address == WHOLESALE else "no"),
        ]

    def start(self) -> None:
        """Start every peer and wait until each answers OPTIONS; OperatorError when one does not."""
        write_tones(self.tones)
        for part in self.parts:
            part.start()
        deadline = time.monotonic() + READY_SECONDS
        for part, address in zip(self.parts, self._peers.values(), strict=True):
            while not answers_options(address):
                if not part.alive:
                    raise OperatorError(part.fault())
                if time.monotonic() > deadline:
                    raise OperatorError(f"{part.name} does not answer at {address}: see {part.log}")
                time.sleep(0.02)  # a closed port refuses at once

    def stop(self) -> None:
        """End every peer."""
        # SIPp ends at once on SIGTERM only when no call is up; nothing is lost by killing it.
        stop_all(self.parts, seconds=1.0)


@dataclass(frozen=True)
class Caller:
    """Who calls and what it writes. `address` belongs to the trunk's network in demo.yaml.

    `called` is what is dialled, for the Request-URI, `to` the same for To (like the former, when empty);
    `asserted` is the user part of P-Asserted-Identity, which only the mobile network sends. `number` decides
    the tone.
    Seconds: `talk` from answer to hanging up, `patience` from calling to giving up.
    """

    address: Address
    number: str
    writes: str
    called: str
    to: str = ""
    asserted: str = ""
    talk: float = 4.0
    patience: float = 15.0

    def process(self, name: str, directory: Path, tones: Path, edge: Address = EDGE) -> Process:
        """Make the process that makes this one call."""
        host, _ = self.address
        header = (
            f"P-Asserted-Identity: <sip:{self.asserted}@{host}>"
            if self.asserted
            else "User-Agent: public exchange"
        )
        command = [
            *_sipp(SIPP / "caller.xml", self.address, 20000, directory / f"{name}.errors", edge),
            *("-m", "1", "-d", str(round(self.talk * 1000))),
            *("-recv_timeout", str(round(self.patience * 1000))),
            *("-timeout", f"{round(self.patience + self.talk + 5)}s"),
            *("-key", "called", _user(self.called), "-key", "to", _user(self.to or self.called)),
            *("-key", "from", self.writes, "-key", "header", header),
            *("-key", "tone", str(tones / f"tone{self.number[-1]}.alaw")),
        ]
        return Process(name, command, directory / f"{name}.out")

    @property
    def tone(self) -> int:
        return tone_of(self.number)


def _user(dialled: str) -> str:
    """What was dialled as the user part of a URI, where # must be escaped."""
    return quote(dialled, safe="+*")


def _sipp(
    scenario: Path, local: Address, media_port: int, errors: Path, remote: Address | None = None
) -> list[str]:
    host, port = local
    target = [f"{remote[0]}:{remote[1]}"] if remote else []
    return [
        *("sipp", *target, "-sf", str(scenario), "-nostdin"),
        *("-i", host, "-p", str(port), "-bind_local"),
        *("-mi", host, "-min_rtp_port", str(media_port), "-max_rtp_port", str(media_port + 499)),
        *("-trace_err", "-error_file", str(errors)),
    ]
