"""Kamailio as it is shipped, with its state in a directory of the test.

With one worker, an answered OPTIONS (`Edge.settled`) proves that all sent before it has been dealt with: that
is how silence is asserted without waiting for it.
"""

import os
import re
import secrets
import signal
import socket
import time
from pathlib import Path
from typing import Any

import msgspec
from party import EDGE, HOST, OPERATOR, WAIT, Party, request_text

from demo.processes import Process, stop_all
from demo.stand import environment_of
from kemi import settings, store
from kemi.agent import sync
from kemi.calls import events, spool
from kemi.directory.apply import apply
from kemi.directory.yamlfile import parse

DIRECTORY = """
trunks:
  mvno-main:
    kind: mvno
    peers: ["sip:127.0.5.2:6060"]
    accept_from: ["127.0.5.2:6060", "127.0.5.6"]
    identity: [P-Served-User, P-Asserted-Identity, From]
    ingress:
      calling: [e164_bare, e164]
      called: [service, extension, e164, national_trunk, international_prefix, local]
    egress: {shape: e164_bare, headers: {P-Asserted-Identity: e164}}
    on_media_down: breakout
  landline:
    kind: carrier
    peers: ["sip:127.0.5.3:6061"]
    accept_from: ["127.0.5.3:6061"]
    called_from: To
    ingress: {calling: [national, national_trunk], called: [national, national_trunk]}
    egress: {shape: national_trunk}
    numbers: ["+74951234567"]
  wholesale:
    kind: carrier
    peers: ["sip:127.0.5.4:6062", "sip:127.0.5.4:6063"]
    accept_from: ["127.0.5.4:6062", "127.0.5.4:6063"]
    ingress: {calling: [e164, e164_bare], called: [e164, e164_bare]}
    egress: {shape: e164, privacy: pass}
    numbers: ["+74957654321"]
  backup:
    kind: carrier
    peers: ["sip:127.0.5.5:6064"]
    accept_from: ["127.0.5.5:6064"]
    egress: {shape: e164_bare}
    numbers: ["+74950000000"]
    on_media_down: breakout
  nowhere:
    kind: carrier
    peers: ["sip:192.0.2.1:5060"]
    accept_from: ["192.0.2.1"]
    numbers: ["+74950000001"]
routes:
  - {prefix: "+7495", trunks: [landline, wholesale]}
  - {prefix: "+7812", trunks: [nowhere, backup]}
  - {prefix: "+7813", trunks: [nowhere]}
  - {prefix: "+", trunks: [wholesale, backup]}
media: ["sip:127.0.5.8:5080", "sip:127.0.5.9:5080"]
tenants:
  company:
    name: ООО «Пример»
    country: RU
    area_code: "495"
    caller_id: "+74951234567"
    recording: {policy: all, announce: [inbound, outbound]}
    outbound: {allow: ["+7", "+375"]}
    subscribers:
      "201": {name: Отдел закупок, msisdn: "+79990000201"}
      "202": {name: Диспетчер логистики, msisdn: "+79990000202"}
    numbers:
      "+74951234567": {trunk: landline, to: "subscriber:201"}
"""


class Edge:
    """The edge's Kamailio with its state in `directory`; nothing else of the product runs."""

    def __init__(self, directory: Path, workers: int = 1, document: str = DIRECTORY) -> None:
        self.settings = settings.load({"FMC_STATE": str(directory), "FMC_LISTEN": HOST, "FMC_NODE": "edge-1"})
        self.apply(document)
        sync.sync_once(self.settings)
        variables = environment_of(self.settings) | {
            # Far away: what is in service changes only when a test says so.
            "FMC_PROBE_SECONDS": "3600",
            "FMC_SHM_MB": "64",
        }
        # cfg_rpc lets a test shorten timers.
        command = (str(settings.CHECKOUT / "kamailio" / "start"), "--loadmodule=cfg_rpc", "-n", str(workers))
        self.process = Process("kamailio", command, directory / "kamailio.log", variables)
        self._spool = spool.Reader(self.settings.spool)
        self.known = Party(OPERATOR)

    def apply(self, document: str) -> None:
        store.migrate(self.settings.database)
        engine = store.engine_for(self.settings.database)
        apply(engine, parse(document, "edge.yaml"), who="tester", file="edge.yaml", prune=True)
        engine.dispose()

    def start(self) -> None:
        self.process.start()
        deadline = time.monotonic() + WAIT
        while True:
            assert self.process.alive, self.process.fault()
            assert time.monotonic() < deadline, self.process.tail()
            if self._answers(0.05):
                break
        # The process for TCP is forked last, and loses a signal that comes before it is itself: wait for it too.
        with socket.create_connection(EDGE, WAIT, (OPERATOR[0], 0)) as client:
            client.sendall(self._options("SIP/2.0/TCP 127.0.5.6;branch=z9hG4bK1", "over-tcp"))
            assert client.recv(65535).startswith(b"SIP/2.0 200 ")

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        assert self.process.pid
        os.killpg(self.process.pid, signal.SIGKILL)
        assert self.process.wait(WAIT) is not None

    def worker(self) -> int:
        """The process id of a UDP worker."""
        found = [entry for entry in self.rpc("core.psx") if entry["DSC"].startswith("udp receiver")]
        pid: int = found[0]["PID"]
        return pid

    def stop(self) -> None:
        assert stop_all([self.process]) == []

    def close(self) -> None:
        self._spool.close()
        self.known.close()

    def rpc(self, method: str, *parameters: object) -> Any:
        """Ask Kamailio; kemi.agent.rpc takes no parameters."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind("")
            client.settimeout(WAIT)
            client.connect(str(self.settings.kamailio_rpc))
            asked = {"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1}
            client.send(msgspec.json.encode(asked))
            answer = msgspec.json.decode(client.recv(65536))
        assert "error" not in answer, answer
        return answer["result"]

    def timers(self, *, silent: int, ringing: int = 120_000) -> None:
        """Give up a peer that says nothing after `silent` ms, a phone after `ringing` ms."""
        self.rpc("cfg.set_now_int", "tm", "fr_timer", silent)
        self.rpc("cfg.set_now_int", "tm", "fr_inv_timer", ringing)

    def in_service(self, *sets: int) -> None:
        """Put all of these dispatcher sets back into service."""
        for number in sets:
            self.rpc("dispatcher.set_state", "a", number, "all")

    @staticmethod
    def _options(via: str, mark: str) -> bytes:
        own = [
            ("Via", via),
            ("Max-Forwards", "70"),
            ("From", f"<sip:test@ims.example>;tag={mark}"),
            ("To", f"<sip:{HOST}>"),
            ("Call-ID", mark),
            ("CSeq", "1 OPTIONS"),
        ]
        return request_text(f"OPTIONS sip:{HOST} SIP/2.0", own)

    def _answers(self, seconds: float) -> bool:
        mark = secrets.token_hex(8)
        self.known.forget()
        self.known.send(self._options(self.known.via(), mark))
        deadline = time.monotonic() + seconds
        # Replies to earlier INVITEs may come first.
        while not any(one.call_id == mark and one.status == 200 for one in self.known.backlog):
            try:
                if not self.known.pull(deadline - time.monotonic()):
                    return False
            except ConnectionRefusedError:
                time.sleep(0.02)
                return False
        return True

    def settled(self) -> None:
        """Return when the one worker has dealt with all that was sent before."""
        assert self._answers(WAIT), self.process.tail()

    def everything(self) -> list[events.Event]:
        """All that is spooled."""
        return [events.decode(payload) for _, _, payload in self._spool.read(100_000)]

    def events(self, sip_call_id: str) -> list[events.Event]:
        """What is spooled of the leg that has this Call-ID on the wire, but for what a side said of itself."""
        waiting = [one for one in self.everything() if not isinstance(one, events.Connected)]
        started = (one for one in waiting if isinstance(one, events.Started))
        legs = {one.leg for one in started if one.sip_call_id == sip_call_id}
        return sorted((one for one in waiting if one.leg in legs), key=lambda one: one.at)

    def wait_events(self, sip_call_id: str, *kinds: type) -> list[events.Event]:
        """Wait until the leg has exactly these events, in this order."""
        deadline = time.monotonic() + WAIT
        while True:
            found = self.events(sip_call_id)
            if [type(one) for one in found] == list(kinds):
                return found
            assert time.monotonic() < deadline, found
            time.sleep(0.01)

    def log(self) -> str:
        return self.process.log.read_text(errors="replace")

    def complaints(self) -> list[str]:
        """Lines of the log that tell of a fault."""
        return [
            line
            for line in self.log().splitlines()
            if re.search(r"ERROR|CRITICAL|ALERT|BUG|handler_failed", line)
        ]
