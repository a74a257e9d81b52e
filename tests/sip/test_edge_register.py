"""Trunks are registered: Kamailio as shipped, the sync agent, and a registrar that checks the digest."""

import hashlib
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest
from edge import DIRECTORY, Edge
from party import HOST, WAIT, Leg, Party
from test_edge_restart import answered_calls

from demo.processes import Process, stop_all
from demo.sip import Message
from demo.stand import environment_of
from kemi.agent.nodestate import Registration
from kemi.cli import status

pytestmark = pytest.mark.system

ADDRESS = ("127.0.5.7", 6066)
REGISTRAR = "sip:127.0.5.7:6066"
PASSWORD = 'p"w\\пароль #1'  # noqa: S105  the test's own
METRICS = "127.0.5.1:9464"


class Registrar(Party):
    """Challenges, and lets in who knows the password; or answers `refusal`, or nothing at all."""

    def __init__(self) -> None:
        super().__init__(ADDRESS)
        self.password = PASSWORD
        self.refusal = 0
        self.silent = False
        self.longest = 3600
        self.shortest = 0
        self.seen: list[Message] = []
        self.bindings: dict[str, tuple[str, int]] = {}
        self._nonce = ""

    def serve(self) -> None:
        self.pull(0.02)
        while self.backlog:
            message = self.backlog.pop(0)
            if message.method != "REGISTER" or message.status is not None:
                continue
            self.seen.append(message)
            if not self.silent:
                self._answer(message)

    def _answer(self, message: Message) -> None:
        expires = int(message.header("Expires"))
        if self.refusal:
            return self._reply(message, self.refusal)
        if 0 < expires < self.shortest:
            return self._reply(message, 423, f"Min-Expires: {self.shortest}\r\n")
        if not message.header("Authorization"):
            self._nonce = secrets.token_hex(8)
            return self._reply(
                message,
                401,
                f'WWW-Authenticate: Digest realm="operator", nonce="{self._nonce}", algorithm=MD5, qop="auth"\r\n',
            )
        if not self._proves(message):
            return self._reply(message, 403)
        user, contact = message.user("To"), message.header("Contact")
        if not expires:
            self.bindings.pop(user, None)
            return self._reply(message, 200)
        self.bindings[user] = contact, expires
        return self._reply(message, 200, f"Contact: {contact};expires={min(expires, self.longest)}\r\n")

    def _proves(self, message: Message) -> bool:
        said = dict(
            re.findall(r'(\w+)="?([^",]*)"?', message.header("Authorization").removeprefix("Digest "))
        )

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()  # noqa: S324  the digest of SIP

        first = md5(f"{message.user('To')}:operator:{self.password}")
        second = md5(f"REGISTER:{said['uri']}")
        middle = f"{said['nonce']}:{said['nc']}:{said['cnonce']}:{said['qop']}"
        return said["nonce"] == self._nonce and said["response"] == md5(f"{first}:{middle}:{second}")

    def _reply(self, message: Message, code: int, more: str = "") -> None:
        head = "".join(f"{name}: {message.header(name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        self.send(
            f"SIP/2.0 {code} X\r\n{head}To: {message.header('To')};tag=r\r\n{more}Content-Length: 0\r\n\r\n".encode()
        )


def document(user: str = "company", variable: str = "TRUNK_PASSWORD", expires: int = 600) -> str:
    asked = f"{{registrar: '{REGISTRAR}', user: '{user}', password_env: {variable}, expires: {expires}}}"
    return DIRECTORY.replace("  wholesale:\n", f"  wholesale:\n    register: {asked}\n", 1)


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    one = Registrar()
    yield one
    one.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path / "state", workers=2, document=document())
    edge.start()
    yield edge
    edge.stop()
    edge.close()


@pytest.fixture
def agent(own: Edge) -> Iterator[Process]:
    process = agent_of(own)
    process.start()
    yield process
    assert stop_all([process]) == []
    # What is secret is nowhere, whatever happened.
    for file in own.settings.state.rglob("*"):
        # The spool's files are a gigabyte each, of nothing, and the workers' alone.
        if file.is_file() and own.settings.spool not in file.parents:
            content = file.read_bytes()
            assert PASSWORD.encode() not in content, file
            assert b"wrong-secret" not in content, file


def agent_of(own: Edge, password: str = PASSWORD) -> Process:
    variables = environment_of(own.settings) | {"FMC_METRICS": METRICS, "TRUNK_PASSWORD": password}
    command = (sys.executable, "-m", "kemi.agent", "sync")
    return Process("sync", command, own.settings.state / "sync.log", variables)


def state_of(own: Edge) -> tuple[Registration | None, list[str]]:
    """What status says of the trunk, and its problems with the registration."""
    (node,) = status.look(own.settings).nodes
    assert node.state is not None
    found = {trunk.name: trunk.registration for trunk in node.state.trunks}
    return found["wholesale"], [one.what for one in node.problems if "register" in one.what]


def until(registrar: Registrar, done: Callable[[], bool], what: str, seconds: float = WAIT) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, (what, [one.start for one in registrar.seen])
        registrar.serve()


def wait_state(
    own: Edge, registrar: Registrar, state: str | None, seconds: float = WAIT
) -> Registration | None:
    def done() -> bool:
        found, _ = state_of(own)
        return (found.state if found else None) == state

    until(registrar, done, f"{state}, not {state_of(own)}", seconds)
    return state_of(own)[0]


def registered_metric() -> str:
    with urlopen(f"http://{METRICS}/metrics", timeout=WAIT) as answer:
        text = answer.read().decode()
    found = re.search(r'^fmc_trunk_registered\{trunk="wholesale"\} (\S+)', text, re.MULTILINE)
    return found[1] if found else ""


def test_registered_changed_and_removed_under_a_call(
    own: Edge, registrar: Registrar, agent: Process, sockets: SimpleNamespace
) -> None:
    for each in vars(sockets).values():
        each.forget()
    found = wait_state(own, registrar, "registered")
    assert found is not None
    assert found.until is not None
    assert 500 < found.until - time.time() <= 601
    assert registrar.bindings == {"company": (f"<sip:wholesale@{HOST}>", 600)}
    assert state_of(own)[1] == []
    assert registered_metric() == "1.0"
    pairs = answered_calls(own, sockets)

    # Nothing changes for a registration when something else does, nor by an agent that is started again.
    before = len(registrar.seen)
    own.apply(document().replace("Отдел закупок", "Отдел"))
    assert agent.pid
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait(WAIT)
    agent.start()
    end = time.monotonic() + 2.5
    until(registrar, lambda: time.monotonic() > end, "the end")
    assert wait_state(own, registrar, "registered")
    assert len(registrar.seen) == before

    own.apply(document("other"))
    until(registrar, lambda: list(registrar.bindings) == ["other"], "the other user alone")
    wait_state(own, registrar, "registered")
    own.apply(document("other", expires=900))
    until(registrar, lambda: registrar.bindings.get("other", ("", 0))[1] == 900, "another time")
    own.apply(DIRECTORY)
    until(registrar, lambda: not registrar.bindings, "deregistered")
    wait_state(own, registrar, None)
    until(registrar, lambda: own.rpc("uac.reg_dump") == [], "no record")
    until(registrar, lambda: registered_metric() == "NaN", "no metric")
    for caller, callee in pairs:
        caller.hang_up(callee)
    assert own.process.alive


def test_kamailio_is_started_again(own: Edge, registrar: Registrar, agent: Process) -> None:
    wait_state(own, registrar, "registered")
    assert agent.alive
    registrar.bindings.clear()
    own.kill()
    wait_state(own, registrar, "unknown")
    assert state_of(own)[1] == []
    assert registered_metric() == "0.0"
    own.start()
    until(registrar, lambda: "company" in registrar.bindings, "registered anew")
    wait_state(own, registrar, "registered")


def test_refused_and_then_the_right_password(own: Edge, registrar: Registrar) -> None:
    agent = agent_of(own, "wrong-secret")
    agent.start()
    try:
        found = wait_state(own, registrar, "refused")
        assert found is not None
        assert found.status == 403
        (problem,) = state_of(own)[1]
        assert "refused user or password (403)" in problem
        assert registered_metric() == "0.0"
        assert not registrar.bindings
    finally:
        assert stop_all([agent]) == []
    agent = agent_of(own)
    agent.start()
    try:
        wait_state(own, registrar, "registered")
    finally:
        assert stop_all([agent]) == []
    assert "wrong-secret" not in own.log() + agent.tail(1000)


def test_a_silent_registrar_then_an_outage_then_well(own: Edge, registrar: Registrar, agent: Process) -> None:
    registrar.silent = True
    wait_state(own, registrar, "no answer", 15)
    (problem,) = state_of(own)[1]
    assert "does not answer" in problem
    assert agent.alive
    registrar.silent, registrar.refusal = False, 503
    found = wait_state(own, registrar, "refused", 40)
    assert found is not None
    assert found.status == 503
    registrar.refusal = 0
    wait_state(own, registrar, "registered", 40)


def test_no_password_and_bad_user(own: Edge, registrar: Registrar, agent: Process) -> None:
    wait_state(own, registrar, "registered")
    assert agent.alive
    own.apply(document(variable="NOT_SET"))
    wait_state(own, registrar, "no password")
    (problem,) = state_of(own)[1]
    assert "NOT_SET does not hold a password" in problem
    until(registrar, lambda: not registrar.bindings, "deregistered")
    own.apply(document(user="a> b"))
    wait_state(own, registrar, "bad user")
    own.apply(document())
    wait_state(own, registrar, "registered")


def test_renewed_and_longer_where_the_registrar_wants_it(
    own: Edge, registrar: Registrar, agent: Process
) -> None:
    """A short time is renewed before it ends; 423 is followed, and the agent leaves it so."""
    wait_state(own, registrar, "registered")
    assert agent.alive
    registrar.shortest = 1200
    own.apply(document(expires=60))
    until(registrar, lambda: registrar.bindings.get("company", ("", 0))[1] == 1200, "the longer time", 20)
    wait_state(own, registrar, "registered")
    before = len(registrar.seen)
    end = time.monotonic() + 2
    until(registrar, lambda: time.monotonic() > end, "the end")
    assert len(registrar.seen) == before
    registrar.shortest, registrar.longest = 0, 15
    own.apply(document(expires=700))
    until(registrar, lambda: len(registrar.seen) >= before + 6, "renewals", 30)
    wait_state(own, registrar, "registered")


def test_a_call_to_the_contact_is_taken_by_the_source_table(
    own: Edge, registrar: Registrar, agent: Process, sockets: SimpleNamespace
) -> None:
    for each in vars(sockets).values():
        each.forget()
    wait_state(own, registrar, "registered")
    assert agent.alive
    leg = Leg.calling(registrar, "wholesale")
    own.settled()
    assert not [one for one in registrar.heard() if one.startswith("SIP/2.0")]
    known = Leg.calling(sockets.wholesale, "wholesale", caller="<sip:+79161234567@op.example>")
    assert known.party.expect(
        lambda one: one.call_id == known.call_id and (one.status or 0) >= 100, "an answer"
    )
    assert leg.call_id != known.call_id
