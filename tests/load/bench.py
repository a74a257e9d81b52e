"""Measure the edge beside native Kamailio on the same calls: `make bench` (python -m tests.load.bench).

SIPp calls from a mobile trunk's address through Kamailio to a SIPp that answers as a media server. In turn, in
each round: `native` (a bare dispatcher proxy), `native_stock` (the same started as Debian does, with Kamailio's
default allocator), `tracked` (dialog and acc too) and `edge` (everything on: a directory of 100,000
subscribers, decision, spool with what the record, metrics and logs need; the agents, which are processes of
their own, are off). CPU is that of all Kamailio processes, from /proc/PID/task/*/schedstat. The added delay
is the time from INVITE to 180 less the median of the same calls sent without any proxy.

Numbers are measured apart, without calls (bench_numbers.py), and so are an import of subscribers
(bench_import.py) and the way from the directory to the workers (bench_sync.py); `--only numbers`, `--only
import` or `--only sync` does nothing else.
"""

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from demo.processes import Process, stop_all
from kemi.directory import generation
from kemi.directory.snapshot import Globals
from kemi.routing.model import Egress, Route, Subscriber, Tenant, Trunk
from tests.load import bench_import, bench_numbers, bench_sync

HERE = Path(__file__).resolve().parent
REPO = HERE.parent.parent
EDGE, CALLER, MEDIA = "127.0.0.1:5060", "127.0.0.1:6060", "127.0.0.1:5080"
SUBSCRIBERS = 100_000
WARM_UP_CALLS = 1500
APART = {"numbers": bench_numbers, "import": bench_import, "sync": bench_sync}
"""What is measured without calls."""


def directory(state: Path) -> None:
    """Write the state that the sync agent would: 100,000 subscribers of one tenant, one mobile trunk."""
    mvno = Trunk(
        name="mvno-main",
        kind="mvno",
        peers=(f"sip:{CALLER}",),
        accept_from=(CALLER,),
        identity=("P-Served-User", "P-Asserted-Identity", "From"),
        calling=("e164_bare", "e164"),
        called=("service", "extension", "e164", "national_trunk", "international_prefix", "local"),
        egress=Egress(shape="e164_bare"),
    )
    tenant = Tenant(
        name="company",
        area_code="495",
        recording="all",
        announce=("inbound", "outbound"),
        outbound_allow=("+7",),
    )
    subscribers = (
        Subscriber(tenant="company", extension=f"{200000 + n}", name=f"Абонент {n}", msisdn=f"+7999{n:07}")
        for n in range(SUBSCRIBERS)
    )
    small = Globals(trunks=(mvno,), routes=(Route("+", ("mvno-main",)),), sets={"mvno-main": 100})
    generation.write(state / "snapshot", 1, small, (tenant,), subscribers)
    lists = state / "kamailio"
    lists.mkdir()
    (lists / "address.list").write_text("1 127.0.0.1 32 6060 mvno-main\n1 127.0.0.1 32 5080 media\n")
    (lists / "dispatcher.list").write_text(f"1 sip:{MEDIA} 0 0\n100 sip:{CALLER} 0 0\n")


def callers(path: Path) -> None:
    """Write SIPp's injection file: who calls (as the operator writes it) and the digits dialled."""
    chance = random.Random(1)  # noqa: S311  the same calls in every run
    rows = (
        f"7999{chance.randrange(SUBSCRIBERS):07};8916{chance.randrange(10**7):07}\n" for _ in range(20_000)
    )
    path.write_text("SEQUENTIAL\n" + "".join(rows))


def cpu_seconds(main: int) -> float:
    """CPU time of Kamailio's main process and all its children so far."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
        if entry.name == str(main) or parent == str(main):
            for thread in (entry / "task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_mib(main: int) -> float:
    """Largest private memory of a Kamailio worker: what its pages cost beyond what is shared."""
    largest = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (entry / "stat").read_text().rpartition(")")[2].split()[1] == str(main):
            rollup = (entry / "smaps_rollup").read_text().splitlines()
            largest = max(largest, sum(int(line.split()[1]) for line in rollup if line.startswith("Private")))
    return largest / 1024


def variants(work: Path, workers: int) -> dict[str, Callable[[], Process]]:
    """How to start what is measured."""
    environment = {
        "FMC_STATE": str(work / "state"),
        "FMC_LISTEN": EDGE,
        "FMC_LISTEN_UDP": f"udp:{EDGE}",
        "FMC_WORKERS": str(workers),
        "FMC_PROBE_SECONDS": "0",
        "FMC_DISPATCHER_LIST": str(work / "state/kamailio/dispatcher.list"),
        "FMC_NODE": "bench",
    }
    config = str(HERE / "native/kamailio.cfg")
    native = ["kamailio", "-f", config, "-DD", "-E", "-m", "512", "-M", "16"]
    native += ["-Y", str(work), "-w", str(work)]
    # As kamailio/start does.
    tuned = [*native, "-x", "tlsf", "-X", "tlsf"]

    def starting(name: str, command: list[str]) -> Callable[[], Process]:
        return lambda: Process(name, command, work / f"{name}.log", environment)

    return {
        "native": starting("native", tuned),
        "native_stock": starting("native_stock", native),
        "tracked": starting("tracked", [*tuned, "-A", "TRACK"]),
        "edge": starting("edge", [str(REPO / "kamailio/start")]),
    }


def sipp(work: Path, name: str, *arguments: str) -> Process:
    """A SIPp process; its files go below `work`."""
    command = ["sipp", *arguments, "-i", "127.0.0.1", "-nostdin", "-buff_size", "4194304"]
    return Process(
        name, ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(work), *command], work / f"{name}.log"
    )


class BenchError(Exception):
    """The measurement cannot go on; the message says why."""


def load(work: Path, target: str, calls: int, rate: int) -> tuple[int, list[float]]:
    """Make calls to `target`; give how many failed and the delays to 180 in microseconds."""
    for old in work.glob("caller_*_rtt.csv"):
        old.unlink()
    stat = work / "caller.csv"
    caller = sipp(
        work,
        "caller",
        target,
        *(
            "-sf",
            str(HERE / "sipp/caller.xml"),
            "-inf",
            str(work / "callers.csv"),
            "-p",
            CALLER.rpartition(":")[2],
        ),
        *("-m", str(calls), "-r", str(rate), "-l", str(rate * 5), "-timeout", f"{calls // rate + 30}s"),
        *("-trace_rtt", "-rtt_freq", "1000", "-trace_stat", "-stf", str(stat), "-fd", "1"),
    )
    caller.start()
    if caller.wait(calls / rate + 45) is None:
        stop_all([caller])
        raise BenchError(f"the calls did not end in time; see {caller.log}")
    with stat.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    done = int(last["SuccessfulCall(C)"])
    if done < calls:
        kinds = {
            key: count for key, count in last.items() if key.startswith("Failed") and key.endswith("(C)")
        }
        why = ", ".join(f"{key[:-3]} {count}" for key, count in kinds.items() if count != "0")
        print(f"{calls - done} calls failed: {why}", file=sys.stderr)  # noqa: T201
    delays = [
        float(line.split(";")[1]) * 1000
        for found in work.glob("caller_*_rtt.csv")
        for line in found.read_text().splitlines()[1:]
    ]
    return calls - done, delays


@contextmanager
def running(process: Process, ready: Callable[[], bool]) -> Iterator[Process]:
    """Start a process, wait until it is ready, and end it."""
    process.start()
    try:
        deadline = time.monotonic() + 15
        while not ready():
            if not process.alive:
                raise BenchError(process.fault())
            if time.monotonic() > deadline:
                raise BenchError(f"{process.name} is not ready after 15 s; see {process.log}")
            time.sleep(0.05)
        yield process
    finally:
        stop_all([process])


def listening(port: str) -> Callable[[], bool]:
    """A check whether somebody holds this UDP port."""
    wanted = f":{int(port):04X} "
    return lambda: wanted in Path("/proc/net/udp").read_text()


def percentile(values: list[float], share: float) -> float:
    """Give the value below which this share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(
    work: Path, calls: int, rate: int, rounds: int, *, workers: int, console: Console
) -> dict[str, list[dict[str, float]]]:
    """Run all rounds; give for each variant one row of figures a round."""
    rows: dict[str, list[dict[str, float]]] = {}
    starts = variants(work, workers)
    callee = sipp(work, "callee", "-sf", str(HERE / "sipp/callee.xml"), "-p", MEDIA.rpartition(":")[2])
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("measuring", total=rounds * (len(starts) + 1))
        for _ in range(rounds):
            with running(callee, listening("5080")):
                failed, direct = load(work, MEDIA, calls // 4, rate)
            base = statistics.median(direct)
            rows.setdefault("direct", []).append(
                {"failed": failed, "p50_us": base, "p99_us": percentile(direct, 0.99)}
            )
            progress.advance(task)
            for name, start in starts.items():
                shutil.rmtree(work / "state/spool", ignore_errors=True)
                with running(callee, listening("5080")), running(start(), listening("5060")) as proxy:
                    main = proxy.pid or 0
                    load(work, EDGE, WARM_UP_CALLS, rate // 2)
                    before = cpu_seconds(main)
                    failed, delays = load(work, EDGE, calls, rate)
                    used = cpu_seconds(main) - before
                    rows.setdefault(name, []).append(
                        {
                            "cpu_us_per_call": used / calls * 1e6,
                            "failed": failed,
                            "p50_us": statistics.median(delays) - base,
                            "p99_us": percentile(delays, 0.99) - base,
                            "worker_private_mib": resident_mib(main),
                        }
                    )
                progress.advance(task)
    return rows


def summarise(rows: dict[str, list[dict[str, float]]], rate: int) -> dict[str, object]:
    """Make the report of contracts.md from the rows."""
    middle = {
        name: {key: statistics.median(row[key] for row in of) for key in of[0]} for name, of in rows.items()
    }
    edge = [row["cpu_us_per_call"] for row in rows["edge"]]

    def ratio_to(name: str) -> float:
        paired = zip(rows[name], edge, strict=True)
        return round(statistics.median(ours / base["cpu_us_per_call"] for base, ours in paired), 3)

    return {
        "cpu_us_per_call": {
            name: round(row["cpu_us_per_call"], 1) for name, row in middle.items() if "cpu_us_per_call" in row
        },
        "ratio": ratio_to("native"),
        "ratio_to_native_stock": ratio_to("native_stock"),
        "ratio_to_tracked": ratio_to("tracked"),
        "rounds": [
            [round(native["cpu_us_per_call"], 1), round(ours, 1)]
            for native, ours in zip(rows["native"], edge, strict=True)
        ],
        "calls_per_second": rate,
        "subscribers": SUBSCRIBERS,
        "failed": int(sum(row["failed"] for of in rows.values() for row in of)),
        "p50_us": round(middle["edge"]["p50_us"]),
        "p99_us": round(middle["edge"]["p99_us"]),
        "rows": {name: {key: round(value, 1) for key, value in row.items()} for name, row in middle.items()},
    }


def show(report: dict[str, object], rows: dict[str, list[dict[str, float]]], console: Console) -> None:
    """Print the table."""
    table = Table(title=f"{report['calls_per_second']} calls/s, medians of {len(rows['edge'])} rounds")
    for column in ("", "CPU µs/call", "to native", "added p50 µs", "added p99 µs", "failed", "worker MiB"):
        table.add_column(column, justify="left" if not column else "right")
    cells: dict[str, dict[str, float]] = report["rows"]  # type: ignore[assignment]
    native = cells["native"]["cpu_us_per_call"]
    for name, measured in rows.items():
        row = cells[name]
        cpu = row.get("cpu_us_per_call")
        table.add_row(
            name,
            f"{cpu:.0f}" if cpu else "",
            f"{cpu / native:.2f}" if cpu else "",
            f"{row['p50_us']:.0f}" if cpu else f"({row['p50_us']:.0f})",
            f"{row['p99_us']:.0f}" if cpu else f"({row['p99_us']:.0f})",
            str(int(sum(one["failed"] for one in measured))),
            f"{row['worker_private_mib']:.1f}" if cpu else "",
        )
    console.print(table)
    console.print("In brackets: the whole delay without a proxy. Rounds (native, edge):", report["rounds"])


def main(arguments: list[str]) -> int:
    """Measure, print, write the report; 1 when calls failed or the measurement broke."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000, help="calls a round and variant")
    parser.add_argument("--rate", type=int, default=1000, help="calls per second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="UDP workers of Kamailio, of every variant"
    )
    parser.add_argument("--only", choices=[*APART], help="this alone, without calls and report")
    parser.add_argument(
        "--subscribers", type=int, default=bench_sync.SUBSCRIBERS, help="how many sync is measured with"
    )
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    if options.only:
        apart = APART[options.only]
        row = bench_sync.measure(options.subscribers) if apart is bench_sync else apart.measure()
        console.print(apart.words(row), soft_wrap=True)
        return 0
    work = REPO / "var/bench"
    shutil.rmtree(work, ignore_errors=True)
    (work / "state").mkdir(parents=True)
    directory(work / "state")
    callers(work / "callers.csv")
    try:
        rows = measure(
            work, options.calls, options.rate, options.rounds, workers=options.workers, console=console
        )
    except BenchError as error:
        console.print(f"[red]bench:[/] {error}")
        return 1
    report = summarise(rows, options.rate)
    report["rows"]["canonicalise"] = bench_numbers.measure()  # type: ignore[index]
    report["rows"]["import"] = bench_import.measure()  # type: ignore[index]
    report["rows"]["sync"] = bench_sync.measure(options.subscribers)  # type: ignore[index]
    (work / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    show(report, rows, console)
    console.print(bench_numbers.words(report["rows"]["canonicalise"]), soft_wrap=True)  # type: ignore[index]
    console.print(bench_import.words(report["rows"]["import"]), soft_wrap=True)  # type: ignore[index]
    console.print(bench_sync.words(report["rows"]["sync"]), soft_wrap=True)  # type: ignore[index]
    console.print(f"Report: {os.path.relpath(work / 'report.json')}")
    return 0 if report["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
