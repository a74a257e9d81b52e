"""Makes the calls on a running stand and collects what became of them. The demo and the tests both use it."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from demo.audio import read_wav
from demo.capture import Capture, Wire
from demo.operators import Operators
from demo.processes import Process, stop_all
from demo.result import CallRecord, Result
from demo.scenarios import Scenario
from demo.stand import Stand, address_of, environment_of
from demo.verdict import Evidence, complete, judge
from kemi.media import prompts
from kemi.settings import Settings

RECORD_SECONDS = 10.0
"""How long after the last call its record may take; it takes well under a second."""
POLL_SECONDS = 0.1
NEWEST = 200
"""How many records to ask for: more than one run makes."""

Progress = Callable[[str, int, int], None]
"""Told what is done, how many of how many."""


class RunError(Exception):
    """The calls could not be made, or their records not be read."""


def run(
    scenarios: Sequence[Scenario],
    stand: Stand,
    operators: Operators,
    directory: Path,
    progress: Progress = lambda *_: None,
) -> list[Result]:
    """Make all calls at once, wait for their records, judge each. Captures to `directory`/demo.pcap."""
    begun = datetime.now(UTC)
    with Capture(directory / "demo.pcap") as capture:
        _make_calls(scenarios, stand, operators, directory / "callers", progress)
        records = _await_records(scenarios, stand, begun, progress)
        capture.mark()
    (notice,) = read_wav(prompts.notice("ru", stand.settings.state / "asterisk" / "sounds"))
    evidence = Evidence(
        wire=Wire.read(capture.path),
        records=records,
        recordings=stand.settings.recordings,
        notice=notice,
        edge=address_of(stand.settings.listen),
    )
    results: list[Result] = []
    for scenario in scenarios:
        progress("listening to what was heard", len(results), len(scenarios))
        results.append(judge(scenario, evidence))
    return results


def _make_calls(
    scenarios: Sequence[Scenario], stand: Stand, operators: Operators, directory: Path, progress: Progress
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    edge = address_of(stand.settings.listen)
    calls = [
        scenario.caller.process(scenario.name, directory, operators.tones, edge) for scenario in scenarios
    ]
    try:
        for call in calls:
            call.start()
        waiting = list(calls)
        while waiting:
            progress("calls", len(calls) - len(waiting), len(calls))
            _check(stand, operators)
            waiting = [call for call in waiting if call.alive]
            time.sleep(POLL_SECONDS)
    finally:
        stop_all(calls, seconds=1.0)


def _check(stand: Stand, operators: Operators) -> None:
    stand.check()
    for peer in operators.parts:
        if not peer.alive:
            raise RunError(f"the simulated operator is gone: {peer.fault()}")


def _await_records(
    scenarios: Sequence[Scenario], stand: Stand, begun: datetime, progress: Progress
) -> list[CallRecord]:
    """Ask fmcctl, as an operator does, until every record is whole; what is still missing is judged so."""
    deadline = time.monotonic() + RECORD_SECONDS
    while True:
        stand.check()
        records = [
            record
            for record in list_calls(stand.settings)
            if datetime.fromisoformat(record["started_at"]) >= begun
        ]
        whole = sum(complete(scenario, records) for scenario in scenarios)
        progress("call records", whole, len(scenarios))
        if whole == len(scenarios) or time.monotonic() > deadline:
            return records
        time.sleep(POLL_SECONDS)


def list_calls(settings: Settings) -> list[CallRecord]:
    """Give the newest records, as `fmcctl calls list -F json` prints them."""
    done = subprocess.run(
        [sys.executable, "-m", "kemi.cli", "calls", "list", "--limit", str(NEWEST), "-F", "json"],
        capture_output=True,
        text=True,
        check=False,
        env=Process.environment_with(environment_of(settings)),
    )
    if done.returncode != 0:
        raise RunError(f"fmcctl calls list: {done.stderr.strip()}")
    listed: list[CallRecord] = json.loads(done.stdout)
    return listed
