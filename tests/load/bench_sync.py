"""How the directory reaches the SIP workers: `python -m tests.load.bench --only sync [--subscribers 1000000]`.

A SQLite database is filled with tenants of fifty subscribers each. Measured are a rebuild of the whole snapshot
in a process of its own (seconds and its largest resident memory, while a reader goes on looking people up), one
subscriber changed after another by `edit.commit` with the real agent running (milliseconds from the commit's
return until a reader that looks every half millisecond finds the new name), and what a look-up costs a process
and how much memory is its own, with few subscribers and with many.

A look-up is timed as in a call: its transaction, the tree, the decoded subscriber, after 4 MiB of other memory
were touched, because a worker does much else between two. `hot` is the same in a loop that does nothing else.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demo.processes import Process, stop_all
from kemi import settings, store
from kemi.directory import edit, rows, seal
from kemi.directory.document import Trunk
from kemi.directory.snapshot import SnapshotDirectory
from kemi.directory.tables import ChangeRow, DidRow, RevisionRow, SubscriberRow, TenantRow, TrunkRow
from kemi.settings import CHECKOUT, Settings

SUBSCRIBERS, FEW = 100_000, 10_000
TENANT = 50
CHANGES, LOOKUPS = 200, 10_000


def configured(directory: Path, port: int = 9498) -> Settings:
    """A node of its own."""
    return settings.load({"FMC_STATE": str(directory), "FMC_METRICS": f"127.0.0.1:{port}"})


def _subscriber(tenant: int, place: int) -> dict[str, Any]:
    return {
        "tenant": f"company-{tenant:06}",
        "extension": str(100 + place),
        "name": f"Сотрудник {place}",
        "msisdn": f"+7999{tenant * TENANT + place:07}",
        "crm_user": None,
        "ring": ["mobile"],
        "answer_confirm": False,
        "voicemail": True,
        "recording": None,
        "caller_id": None,
        "suspended": False,
        "clir": False,
        "device": None,
    }


def fill(database: str, subscribers: int) -> None:
    """Write tenants, their subscribers, and a DID each, as revision 1."""
    store.migrate(database)
    engine = store.engine_for(database)
    trunk = Trunk(kind="mvno", peers=("sip:127.0.0.1:6060",), accept_from=("127.0.0.1:6060",))
    tenants = range(subscribers // TENANT)
    with engine.begin() as connection:

        def insert(row: type[store.Base], values: Iterator[Mapping[str, Any]]) -> None:
            held = list(values)
            for begin in range(0, len(held), 10_000):
                connection.execute(rows.table_of(row).insert(), held[begin : begin + 10_000])

        entry = {"number": 1, "at": time.time_ns() // 1000, "who": "bench", "what": "filled"}
        connection.execute(rows.table_of(RevisionRow).insert(), entry)
        change = {"revision": 1, "ordinal": 0, "noun": "trunk", "key": ["mvno"], "before": None, "after": {}}
        connection.execute(rows.table_of(ChangeRow).insert(), change)
        document = rows.Document(trunks={"mvno": trunk})
        insert(TrunkRow, iter(rows.rows(document)[TrunkRow].values()))
        blank = {"country": "RU", "area_code": None, "prefixes": None, "caller_id": None}
        blank |= {"recording": {}, "outbound": {}}
        insert(TenantRow, ({"tenant": f"company-{n:06}", "name": f"Компания {n}", **blank} for n in tenants))
        for begin in range(0, len(tenants), 2000):
            some = tenants[begin : begin + 2000]
            insert(SubscriberRow, (_subscriber(n, place) for n in some for place in range(TENANT)))
        insert(
            DidRow,
            (
                {
                    "number": f"+7495{n:07}",
                    "tenant": f"company-{n:06}",
                    "trunk": "mvno",
                    "to": "subscriber:100",
                    "crm_routing": None,
                }
                for n in tenants
            ),
        )
    engine.dispose()


REBUILD = """
import json, resource, sys, time
from kemi.agent import sync
from kemi.settings import load
begun = time.monotonic()
sync.sync_once(load())
done = time.monotonic() - begun
print(json.dumps([done, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""

LOOKUP = """
import json, random, statistics, sys, time
from pathlib import Path
from kemi.directory.snapshot import SnapshotDirectory
path, subscribers, lookups = Path(sys.argv[1]), *map(int, sys.argv[2:])
directory, chance, clock = SnapshotDirectory(path), random.Random(1), time.perf_counter_ns
# Pages are mapped at their first touch.
for number in range(0, subscribers, 7):
    with directory:
        directory.subscriber_by_msisdn(f"+7999{number:07}")
numbers = [f"+7999{chance.randrange(subscribers):07}" for _ in range(lookups)]
other, medians = memoryview(bytearray(4 << 20)), []
for between in (other, other[:0]):
    taken = []
    for number in numbers:
        bytes(between)
        begun = clock()
        with directory:
            directory.subscriber_by_msisdn(number)
        taken.append(clock() - begun)
    medians.append(statistics.median(taken))
lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
own = sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty:"))
print(json.dumps([*medians, own / 1024]))
"""


def _python(code: str, *arguments: object, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env={**os.environ, **environment},
    )
    return json.loads(done.stdout)


class _Reader(threading.Thread):
    """Looks somebody up again and again; remembers the longest that took."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._directory = SnapshotDirectory(path)
        self.done = threading.Event()
        self.looked = 0
        self.longest = 0.0

    def run(self) -> None:
        while not self.done.is_set():
            begun = time.perf_counter()
            with self._directory as directory:
                directory.subscriber_by_msisdn(f"+7999{self.looked % FEW:07}")
            self.longest = max(self.longest, time.perf_counter() - begun)
            self.looked += 1
            time.sleep(0.001)
        self._directory.close()


def rebuild(node: Settings) -> dict[str, float]:
    """Write the snapshot twice: without one, and beside one that is being read."""
    _python(REBUILD, FMC_STATE=str(node.state))
    in_use = node.snapshot / (seal.current(node.snapshot) or "")
    size = (in_use / seal.DATA).stat().st_size
    reader = _Reader(node.snapshot)
    reader.start()
    # The reader goes on with what it has mapped; what lies there instead is written anew.
    (in_use / seal.DATA).unlink()
    seconds, resident = _python(REBUILD, FMC_STATE=str(node.state))
    reader.done.set()
    reader.join()
    return {
        "rebuild_s": round(seconds, 2),
        "rebuild_resident_mib": round(resident, 1),
        "snapshot_mib": round(size / 2**20, 1),
        "longest_lookup_meanwhile_ms": round(reader.longest * 1e3, 2),
    }


def effect(node: Settings, subscribers: int) -> dict[str, float]:
    """Milliseconds from the commit of a change until a reader finds it, the agent running."""
    agent = Process(
        "sync",
        (sys.executable, "-m", "kemi.agent", "sync"),
        node.state / "sync.log",
        {"FMC_STATE": str(node.state), "FMC_METRICS": node.metrics},
    )
    engine, chance = store.engine_for(node.database), random.Random(2)  # noqa: S311  the same in every run
    directory = SnapshotDirectory(node.snapshot)
    agent.start()
    taken = []
    try:
        for number in range(CHANGES + 1):
            tenant, place = divmod(chance.randrange(subscribers), TENANT)
            before = _subscriber(tenant, place)
            after = {**before, "name": f"change {number}"}
            time.sleep(chance.random() * 0.1)
            with edit.writing(engine) as connection:
                changed = edit.Edit(SubscriberRow, (before["tenant"], before["extension"]), before, after)
                edit.commit(connection, [changed], who="bench", what="renamed")
            begun = time.perf_counter()
            while True:
                with directory:
                    found = directory.subscriber_by_msisdn(before["msisdn"])
                if found is not None and found.name == after["name"]:
                    break
                if time.perf_counter() - begun > 30:
                    raise TimeoutError(agent.tail())
                time.sleep(0.0005)
            taken.append((time.perf_counter() - begun) * 1e3)
    finally:
        stop_all([agent])
        directory.close()
        engine.dispose()
    taken = sorted(taken[1:])  # the first waits for the agent's start
    return {
        "changes": CHANGES,
        "effect_p50_ms": round(statistics.median(taken), 1),
        "effect_p99_ms": round(taken[int(len(taken) * 0.99)], 1),
    }


def measure(subscribers: int = SUBSCRIBERS) -> dict[str, float]:
    """The row of the report."""
    row: dict[str, float] = {"subscribers": subscribers}
    worker = {}
    for count in (FEW, subscribers):
        with tempfile.TemporaryDirectory() as directory:
            node = configured(Path(directory))
            fill(node.database, count)
            row |= rebuild(node)
            worker[count] = _python(LOOKUP, node.snapshot, count, LOOKUPS)
            if count == subscribers:
                row |= effect(node, subscribers)
    few, many = worker[FEW], worker[subscribers]
    return row | {
        "lookup_few_ns": round(few[0]),
        "lookup_ns": round(many[0]),
        "lookup_ratio": round(many[0] / few[0], 2),
        "lookup_hot_few_ns": round(few[1]),
        "lookup_hot_ns": round(many[1]),
        "worker_few_mib": round(few[2], 1),
        "worker_mib": round(many[2], 1),
    }


def words(row: dict[str, float]) -> str:
    """The row as a person reads it."""
    return (
        f"{row['subscribers']:,.0f} subscribers: rebuild {row['rebuild_s']:.1f} s, "
        f"{row['rebuild_resident_mib']:.0f} MiB, snapshot {row['snapshot_mib']:.0f} MiB; a change is in effect "
        f"after {row['effect_p50_ms']:.0f} ms (p99 {row['effect_p99_ms']:.0f}); a look-up {row['lookup_ns']:.0f} ns, "
        f"{row['lookup_ratio']:.2f} times that of {FEW:,} (in a loop {row['lookup_hot_ns']:.0f} ns and "
        f"{row['lookup_hot_few_ns']:.0f} ns); a process reads with {row['worker_mib']:.1f} MiB of its own "
        f"({row['worker_few_mib']:.1f})."
    )
