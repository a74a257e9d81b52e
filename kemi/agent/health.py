"""Why something is not well, and what to do: from what nodes say of themselves. Pure."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from kemi.agent.nodestate import NodeState, Peer

SILENT_SECONDS = 20.0
"""A node reports every five seconds: after this nobody knows how it is."""

BEHIND_SECONDS = 5.0
"""A change is in effect within one; after this something keeps it back."""

SPOOL_EVENTS = 10_000
"""Events that wait, a minute of full load: nobody carries them away, or not fast enough."""


class Problem(msgspec.Struct, frozen=True):
    """One thing that is not well, and what to do about it; a line each."""

    what: str
    do: str


class Lag(msgspec.Struct, frozen=True):
    """How far a snapshot is behind: in revisions, and in seconds since the first of them was made."""

    revisions: int
    seconds: float


class NodeReport(msgspec.Struct, frozen=True):
    """A node as everybody sees it. `lag` is None where the database does not tell.

    `age` is seconds since its snapshot was last seen to be the newest revision; `heard` seconds since the
    node said all this, 0 where it is this node. `notes` are no problems.
    """

    node: str
    own: bool
    heard: float
    state: NodeState | None
    lag: Lag | None
    age: float | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()


def report(
    node: str, state: NodeState | None, *, own: bool, heard: float, lag: Lag | None, now: float
) -> NodeReport:
    """What is to be said of a node at the moment `now`, in seconds since the epoch."""
    follow = None if state is None else state.follow
    current_at = None if follow is None else follow.current_at
    return NodeReport(
        node=node,
        own=own,
        heard=heard,
        state=state,
        lag=lag,
        age=None if current_at is None else max(0.0, now - current_at),
        problems=tuple(_problems(state, own=own, heard=heard, lag=lag, now=now)),
        notes=() if state is None else tuple(_notes(state)),
    )


def _problems(
    state: NodeState | None, *, own: bool, heard: float, lag: Lag | None, now: float
) -> Iterator[Problem]:
    if heard > SILENT_SECONDS:
        yield Problem(
            f"nothing was heard of it for {span(heard)}",
            "see that its machine is up, its sync agent runs and it reaches the database; "
            "if it is no more: fmcctl status --forget NODE",
        )
        return
    if state is None:
        yield Problem("it runs another version, which is not understood here", "ask it there: fmcctl status")
        return
    yield from _of_agents(state, own=own, now=now)
    yield from _of_snapshot(state, lag)
    if state.kamailio:
        yield Problem(
            f"Kamailio does not answer ({state.kamailio})", "start it: kamailio/start; its log says more"
        )
    else:
        yield from _of_peers(state)
    if state.spool is None:
        yield Problem("the spool cannot be read", "see the ship agent's log")
    elif state.spool >= SPOOL_EVENTS:
        yield Problem(
            f"{state.spool} events wait in the spool", "see the ship agent's log: is the database slow?"
        )


def _of_agents(state: NodeState, *, own: bool, now: float) -> Iterator[Problem]:
    follow = state.follow
    if not state.agents.get("sync"):
        yield Problem(
            "the sync agent does not run, no change reaches this node",
            "start it: python -m kemi.agent sync",
        )
    elif own and (follow is None or now - follow.at > SILENT_SECONDS):
        yield Problem(
            "the sync agent does not get on", "end it and start it again; its log says where it was"
        )
    elif follow is not None:
        if follow.database:
            yield Problem(
                f"it does not read the database ({follow.database})",
                "calls go on by the last snapshot; see FMC_DATABASE and that the server runs",
            )
        if follow.hindrance:
            yield Problem(
                f"the sync agent cannot write ({follow.hindrance})",
                "see the disk and the rights in FMC_STATE",
            )
        if follow.reload:
            yield Problem(f"Kamailio did not load a list ({follow.reload})", "see its log; it is asked again")
    if not state.agents.get("ship"):
        yield Problem(
            "the ship agent does not run, records of calls wait in the spool",
            "start it: python -m kemi.agent ship",
        )


def _of_snapshot(state: NodeState, lag: Lag | None) -> Iterator[Problem]:
    doing = "" if state.follow is None else state.follow.doing
    if state.revision is None:
        yield Problem(
            f"there is no snapshot to be trusted ({state.snapshot})",
            "start the sync agent; workers that run go on with the one they have open",
        )
    elif lag is not None and lag.revisions < 0:
        yield Problem(
            "its snapshot is newer than the database",
            "was an older database put in place? The sync agent then takes that over",
        )
    elif lag is not None and lag.revisions and lag.seconds > BEHIND_SECONDS:
        what = f"its snapshot lacks {_count(lag.revisions, 'revision')}, since {span(lag.seconds)}"
        yield Problem(what, f"wait, it is {doing}" if doing else "see the sync agent's log")


def _of_peers(state: NodeState) -> Iterator[Problem]:
    for trunk in state.trunks:
        bad = _unwell(trunk.peers)
        if bad and len(bad) == len(trunk.peers):
            yield Problem(
                f"trunk {trunk.name}: {_listed(bad)}",
                "its calls go to the next trunk of the route, or fail; ask the operator, see the network",
            )
        elif bad:
            yield Problem(
                f"trunk {trunk.name}: {_listed(bad)}",
                "its calls go to its other peers; ask the operator, see the network",
            )
    bad = _unwell(state.media)
    if bad or not state.media:
        rest = len(bad) < len(state.media)
        yield Problem(
            f"media: {_listed(bad)}" if bad else "there is no media server",
            "the others take its calls; start it, see its log"
            if rest
            else "calls go without recording and services, where the trunk says breakout, or fail; start one",
        )


_WORDS = {
    "down": "does not answer OPTIONS",
    "disabled": "was taken out of service by hand",
    "not loaded": "is not known to Kamailio: see the sync agent's log",
}


def _unwell(peers: Sequence[Peer]) -> list[Peer]:
    return [peer for peer in peers if peer.health in _WORDS]


def _listed(peers: Sequence[Peer]) -> str:
    return ", ".join(f"{peer.uri} {_WORDS[peer.health]}" for peer in peers)


def _notes(state: NodeState) -> Iterator[str]:
    for trunk in state.trunks:
        if trunk.registration is not None:
            yield f"trunk {trunk.name} asks for a registration: {trunk.registration}"


def lag_of(revision: int | None, newest: int, made: Mapping[int, float], now: float) -> Lag | None:
    """How far a snapshot is behind; `made` says when revisions were made, in seconds since the epoch."""
    if revision is None:
        return None
    first = made.get(revision + 1)
    return Lag(newest - revision, 0.0 if first is None or newest <= revision else max(0.0, now - first))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span(seconds: float) -> str:
    """A time as people say it."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
