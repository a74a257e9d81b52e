"""Run the demo, or keep its edge up: python -m demo [up | down | status | wait]."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from sqlalchemy.exc import SQLAlchemyError

from demo import control, preflight, report
from demo.capture import CaptureError
from demo.operators import PEERS, OperatorError, Operators
from demo.preflight import Port
from demo.processes import ENDINGS
from demo.provision import ForeignDirectoryError, provision
from demo.run import RunError, run
from demo.scenarios import SCENARIOS
from demo.stand import Stand, StandError
from kemi import settings
from kemi.directory.yamlfile import DocumentError

DATA = Path(__file__).parent / "demo.yaml"
TROUBLE = (
    StandError,
    OperatorError,
    CaptureError,
    RunError,
    ForeignDirectoryError,
    DocumentError,
    SQLAlchemyError,
    OSError,
)
"""What can keep the demo from being made; each says what is wrong."""

APPEAR_SECONDS = 15.0
"""How long after `make up` the edge may take until it can be asked at all."""

Say = Callable[[str], None]


class Stopped(BaseException):
    """We were asked to end: leave every context, so that all parts are stopped."""


@contextmanager
def whole_edge(configured: settings.Settings, say: Say) -> Iterator[tuple[Stand, Operators]]:
    """Bring up directory, operators and edge; end them in the opposite order."""
    stand = Stand(configured, say=say)
    ports = [*stand.ports, *(Port("udp", address, f"operator {name}") for name, address in PEERS.items())]
    found = preflight.problems(configured.state, ports)
    if found:
        raise StandError("\n".join(found))
    say("directory")
    provision(configured, DATA, say)
    operators = Operators(configured.state / "demo" / "operators")
    with ExitStack() as running:
        say("simulated operators")
        running.callback(operators.stop)
        operators.start()
        running.enter_context(stand)
        yield stand, operators


def demo(console: Console, configured: settings.Settings) -> int:
    """Make all calls and tell what happened; 1 when a call did not go as it should."""
    begun = time.monotonic()
    directory = configured.state / "demo"
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        shown = progress.add_task("starting", total=None)

        def say(what: str) -> None:
            progress.update(shown, description=what)
            if not console.is_terminal:
                console.print(what)

        def count(what: str, done: int, of: int) -> None:
            progress.update(shown, description=what, completed=done, total=of)

        with whole_edge(configured, say) as (stand, operators):
            say(f"{len(SCENARIOS)} calls")
            results = run(SCENARIOS, stand, operators, directory, count)
    seconds = time.monotonic() - begun
    report.write_json(directory / "report.json", results, seconds)
    report.tell(console, results)
    failed = sum(not result.ok for result in results)
    if failed:
        logs, callers = shorten(configured.state / "log"), shorten(directory)
        console.print(
            f"\n[bold red]{failed} of {len(results)} calls went wrong[/]; "
            f"logs of the edge: {logs}/, of operators and callers: {callers}/"
        )
    else:
        console.print(f"\n[bold green]All {len(results)} calls went as they should[/], in {seconds:.0f} s.")
    console.print(where_to_look(configured.state))
    return 1 if failed else 0


def where_to_look(state: Path) -> str:
    """Name what the run left behind."""
    return (
        f"Look further: {shorten(state / 'demo' / 'report.json')} (every check), "
        f"{shorten(state / 'demo' / 'demo.pcap')} (in Wireshark: Telephony, VoIP Calls), "
        f"{shorten(state / 'recordings')}/, bin/fmcctl calls list"
    )


def shorten(path: Path) -> str:
    """Write a path as it is typed from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def up(console: Console, configured: settings.Settings) -> int:
    """Keep the edge and the answering operators until `down`, SIGTERM or SIGINT; 1 when a part dies."""
    state: dict[str, Any] = {"phase": "starting", "parts": []}
    with ExitStack() as running:
        # Entered first, left last: `down` is answered when everything else has ended.
        channel = running.enter_context(control.Control(configured.state, lambda: state))
        stand, operators = running.enter_context(whole_edge(configured, console.print))
        running.callback(state.update, phase="ending")
        state |= {"phase": "up", "parts": [part.name for part in (*stand.parts, *operators.parts)]}
        console.print(f"up: SIP at {configured.listen}, metrics at http://{configured.metrics}/metrics")
        while not channel.asked_to_end.wait(1.0):
            stand.check()
    return 0


def down(console: Console, configured: settings.Settings) -> int:
    """End an edge that `up` keeps; also when there is none."""
    answer = control.ask(configured.state, "down")
    console.print("nothing is up" if answer is None else "down")
    return 0


def status(console: Console, configured: settings.Settings) -> int:
    """Tell whether an edge is up; 1 when none is."""
    answer = control.ask(configured.state, "status")
    if answer is None:
        console.print("nothing is up (make up)")
        return 1
    console.print(f"{answer['phase']}: {', '.join(answer['parts']) or 'no part yet'}")
    return 0


def wait(console: Console, configured: settings.Settings) -> int:
    """Return when an edge that is being brought up elsewhere can take calls; 1 when it gave up."""
    deadline = time.monotonic() + APPEAR_SECONDS
    seen = False
    while (answer := control.ask(configured.state, "status")) or (not seen and time.monotonic() < deadline):
        seen = seen or answer is not None
        if answer and answer["phase"] == "up":
            return status(console, configured)
        time.sleep(0.1)
    print("the edge did not come up", file=sys.stderr)
    return 1


def _stop(number: int, _: FrameType | None) -> None:
    for ending in ENDINGS:  # once is enough: what stops the parts must not be stopped itself
        signal.signal(ending, signal.SIG_IGN)
    raise Stopped(number)


def main(arguments: list[str]) -> int:
    """Run what is named; 1 when it cannot be done or went wrong, 2 on bad usage."""
    commands = {"": demo, "up": up, "down": down, "status": status, "wait": wait}
    # A log has no width: one line a call, whatever the length.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    command = commands.get(" ".join(arguments))
    if command is None:
        print("usage: python -m demo [up|down|status|wait]", file=sys.stderr)
        return 2
    configured = settings.load()
    if command in {demo, up} and control.ask(configured.state, "status") is not None:
        print("an edge is up on this state directory: end it first with 'make down'", file=sys.stderr)
        return 1
    for ending in ENDINGS:
        signal.signal(ending, _stop)
    try:
        return command(console, configured)
    except TROUBLE as error:
        print(error, file=sys.stderr)
        return 1
    except Stopped:
        print("stopped; nothing is left running", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
