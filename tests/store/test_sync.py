"""The sync agent: what it writes, and what it tells Kamailio."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from kemi import store
from kemi.agent import rpc, sync
from kemi.agent.kamailio_files import address_list, dispatcher_list
from kemi.directory.apply import apply
from kemi.directory.database import NoDirectoryError
from kemi.directory.snapshot import SnapshotDirectory
from kemi.directory.yamlfile import load, parse
from kemi.routing.model import Trunk
from kemi.settings import load as load_settings

EXAMPLE = Path(store.__file__).parent.parent / "examples" / "company.yaml"


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def environ(tmp_path):
    return {"FMC_STATE": str(tmp_path / "state"), "FMC_METRICS": f"127.0.0.1:{free_port()}"}


@pytest.fixture
def settings(environ):
    return load_settings(environ)


def put(settings, document, *, prune=False):
    store.migrate(settings.database)
    engine = store.engine_for(settings.database)
    apply(engine, document, who="tester", file="f.yaml", prune=prune)
    engine.dispose()


def lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def trunk(name: str, *accept_from: str, peers: tuple[str, ...] = ()) -> Trunk:
    return Trunk(name, "carrier", peers, accept_from)


def test_address_list():
    trunks = [
        trunk("a", "10.0.0.0/8", "192.0.2.1"),
        trunk("b", "192.0.2.1:5062", "10.1.0.0/16", "[2001:db8::1]:5060"),
    ]
    media = ["sip:192.0.2.9", "sip:[2001:db8::9]:5080;transport=udp"]
    assert lines(address_list(trunks, media)) == [
        "1 192.0.2.1 32 0 a",
        "1 192.0.2.1 32 5062 b",
        "1 2001:db8::1 128 5060 b",
        "1 192.0.2.9 32 5060 media",
        "1 2001:db8::9 128 5080 media",
        "1 10.1.0.0 16 0 b",
        "1 10.0.0.0 8 0 a",
    ]


def test_dispatcher_list():
    trunks = [trunk("a", peers=("sip:192.0.2.1", "sip:192.0.2.2:5062"))]
    assert lines(dispatcher_list(trunks, {"a": 105}, ["sip:192.0.2.9:5080"])) == [
        "1 sip:192.0.2.9:5080 0 0",
        "105 sip:192.0.2.1 0 2",
        "105 sip:192.0.2.2:5062 0 1",
    ]


def test_once_writes_everything(settings):
    put(settings, load(EXAMPLE))
    assert sync.sync_once(settings) == 1
    assert "1 127.0.0.1 32 6060 mvno-main" in (settings.kamailio / "address.list").read_text()
    directory = SnapshotDirectory(settings.snapshot)
    with directory:
        assert directory.revision == 1
        number = directory.trunk_set("wholesale")
    directory.close()
    assert f"{number} sip:127.0.0.1:6063 0 1" in (settings.kamailio / "dispatcher.list").read_text()
    assert [path.name for path in settings.kamailio.iterdir() if path.name.startswith(".")] == []


def test_set_numbers_of_trunks_stay(settings):
    put(settings, load(EXAMPLE))
    sync.sync_once(settings)
    before = set(lines((settings.kamailio / "dispatcher.list").read_text()))
    document = parse(
        "trunks: {new: {kind: carrier, peers: ['sip:192.0.2.1'], accept_from: [192.0.2.1]}}", "f"
    )
    put(settings, document)
    sync.sync_once(settings)
    after = set(lines((settings.kamailio / "dispatcher.list").read_text()))
    assert before < after
    assert {int(line.split()[0]) for line in after} >= {1, 100}


def test_once_without_a_database_says_what_to_do(settings):
    with pytest.raises(NoDirectoryError, match="fmcctl apply"):
        sync.sync_once(settings)
    assert not settings.state.exists()


class Kamailio:
    """Answers as module jsonrpcs does; notes what it was asked."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.asked: list[str] = []
        self.refusals: list[str] = []
        self.heard = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            datagram, sender = self._socket.recvfrom(65536)
            if datagram == b"end":
                return
            request = json.loads(datagram)
            with self.heard:
                asks = request["method"] == "dispatcher.list"
                if not asks:
                    self.asked.append(request["method"])
                if self.refusals and not asks:
                    outcome = {"error": {"code": 500, "message": self.refusals.pop()}}
                else:
                    outcome = {"result": "Reload OK"}
                self.heard.notify_all()
            answer = json.dumps({"jsonrpc": "2.0", "id": request["id"], **outcome})
            self._socket.sendto(answer.encode(), sender)

    def wait_for(self, count: int) -> list[str]:
        with self.heard:
            assert self.heard.wait_for(lambda: len(self.asked) >= count, timeout=10), self.asked
            return self.asked[:]

    def end(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


@pytest.fixture
def kamailio(settings):
    server = Kamailio(settings.kamailio_rpc)
    yield server
    server.end()


@contextmanager
def agent(environ):
    """The real process; its log lines are read as they come."""
    with subprocess.Popen(
        [sys.executable, "-m", "kemi.agent", "sync"],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
            assert process.wait(timeout=10) == 0


def logged(process, event: str) -> dict:
    """The next log line of an event."""
    for line in process.stderr:
        entry = json.loads(line)
        if entry["event"] == event:
            return entry
    raise AssertionError(f"ended without {event}")


def test_the_agent_follows_and_tells_kamailio_only_what_is_new(environ, settings, kamailio):
    put(settings, load(EXAMPLE))
    with agent(environ) as process:
        assert logged(process, "snapshot_written")["revision"] == 1
        assert sorted(kamailio.wait_for(2)) == ["dispatcher.reload", "permissions.addressReload"]
        renamed = EXAMPLE.read_text().replace("Отдел закупок", "Закупки")
        put(settings, parse(renamed, "f"))
        entry = logged(process, "snapshot_written")
        assert (entry["revision"], entry["how"], entry["why"], entry["changed"]) == (2, "update", "", [])
        moved = renamed.replace('accept_from: ["127.0.0.1:6061"]', 'accept_from: ["127.0.0.1:6071"]')
        put(settings, parse(moved, "f"))
        assert logged(process, "snapshot_written")["changed"] == ["address.list"]
        assert kamailio.wait_for(3)[2:] == ["permissions.addressReload"]
        with urlopen(f"http://{environ['FMC_METRICS']}/metrics", timeout=5) as answer:
            exposed = answer.read().decode()
        assert "fmc_snapshot_revision 3.0" in exposed
        assert "fmc_database_up 1.0" in exposed
        assert 'fmc_snapshot_writes_total{how="rebuild"} 1.0' in exposed
        assert 'fmc_snapshot_writes_total{how="update"} 2.0' in exposed


def test_lists_follow_once_the_snapshot_can_be_written(environ, settings, kamailio):
    put(settings, load(EXAMPLE))
    with agent(environ) as process:
        logged(process, "snapshot_written")
        kamailio.wait_for(2)
        shutil.rmtree(settings.snapshot)
        settings.snapshot.touch()
        moved = EXAMPLE.read_text().replace(
            'accept_from: ["127.0.0.1:6061"]', 'accept_from: ["127.0.0.1:6071"]'
        )
        put(settings, parse(moved, "f"))
        assert "FileExistsError" in logged(process, "cannot_sync")["why"]
        settings.snapshot.unlink()
        assert logged(process, "snapshot_written")["changed"] == ["address.list"]
        assert "permissions.addressReload" in kamailio.wait_for(3)[2:]


def test_a_reload_that_was_refused_is_asked_for_again(environ, settings, kamailio):
    kamailio.refusals = ["ongoing reload"]
    put(settings, load(EXAMPLE))
    with agent(environ) as process:
        assert "ongoing reload" in logged(process, "reload_refused")["why"]
        asked = kamailio.wait_for(3)
    assert asked[0] == asked[1]
    assert len(set(asked)) == 2


def test_the_agent_waits_for_the_first_apply_and_for_kamailio(environ, settings):
    with agent(environ) as process:
        assert "fmcctl apply" in logged(process, "cannot_sync")["why"]
        put(settings, load(EXAMPLE))
        assert logged(process, "snapshot_written")["revision"] == 1
        server = Kamailio(settings.kamailio_rpc)
        server.wait_for(2)
        server.end()


def test_rpc_gives_up_in_time(tmp_path):
    path = tmp_path / "rpc.sock"
    with pytest.raises(rpc.UnreachableError):
        rpc.call(path, "core.version")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as silent:
        silent.bind(str(path))
        with pytest.raises(rpc.UnreachableError, match="no answer in time"):
            rpc.call(path, "core.version", timeout=0.05)


KAMAILIO = """
loadmodule "kex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "jsonrpcs.so"
loadmodule "permissions.so"
loadmodule "dispatcher.so"
log_stderror=yes
children=1
listen=udp:127.0.0.1:{port}
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{state}/run/kamailio-rpc.sock")
modparam("permissions", "address_file", "{state}/kamailio/address.list")
modparam("permissions", "reload_delta", 0)
modparam("dispatcher", "list_file", "{state}/kamailio/dispatcher.list")
modparam("dispatcher", "reload_delta", 0)
request_route {{ exit; }}
"""


@pytest.mark.system
def test_kamailio_takes_the_lists_and_their_changes(environ, settings, tmp_path):
    put(settings, load(EXAMPLE))
    sync.sync_once(settings)
    settings.run.mkdir(parents=True)
    config = tmp_path / "kamailio.cfg"
    config.write_text(KAMAILIO.format(port=free_port(socket.SOCK_DGRAM), state=settings.state))
    command = ["kamailio", "-DD", "-E", "-f", str(config), "-Y", str(settings.run)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as kamailio:
        try:
            assert sources(settings) == {
                "127.0.0.1:6060 mvno-main",
                "127.0.0.1:6061 legacy-landline",
                "127.0.0.1:6062 wholesale",
                "127.0.0.1:6063 wholesale",
                "127.0.0.1:5080 media",
            }
            assert peers(settings)[102] == {"sip:127.0.0.1:6062": 2, "sip:127.0.0.1:6063": 1}
            moved = EXAMPLE.read_text().replace("127.0.0.1:6061", "127.0.0.1:6071")
            with agent(environ) as process:
                # The agent asks once when it starts, before or after it sees the change.
                put(settings, parse(moved, "f"))
                while "127.0.0.1:6071 legacy-landline" not in sources(settings):
                    logged(process, "reloaded")
                while peers(settings)[101] != {"sip:127.0.0.1:6071": 1}:
                    logged(process, "reloaded")
        finally:
            kamailio.terminate()


def ask(settings, method: str):
    """Ask Kamailio, as soon as it listens."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return rpc.call(settings.kamailio_rpc, method)
        except rpc.UnreachableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def sources(settings) -> set[str]:
    items = [entry["item"] for entry in ask(settings, "permissions.addressDump")]
    return {f"{item['ip']}:{item['port']} {item['tag']}" for item in items}


def peers(settings) -> dict[int, dict[str, int]]:
    """The peers of each dispatcher set and their priorities."""
    sets = [record["SET"] for record in ask(settings, "dispatcher.list")["RECORDS"]]
    return {
        each["ID"]: {target["DEST"]["URI"]: target["DEST"]["PRIORITY"] for target in each["TARGETS"]}
        for each in sets
    }
