"""The entry points that kamailio/routes/ call by name.

Each returns an int, survives any exception and touches nothing that can wait: one read of the snapshot and
one write to the spool. Decisions are counted and logged by the ship agent, from what was spooled.
"""

import functools
import gc
import time
from collections.abc import Callable
from typing import Any, TypeVar

import KSR

from kemi import logs, metrics, settings
from kemi.calls import events
from kemi.directory.snapshot import SnapshotDirectory
from kemi.edge import apply, callid
from kemi.edge.apply import Ids
from kemi.edge.request import Reader, connected_headers, text
from kemi.edge.spooling import Spool
from kemi.routing.connected import connected
from kemi.routing.decide import decide
from kemi.routing.model import MEDIA, Decision

NOT_DECIDED = -2
"""The return code of an entry point that failed: routes/invite.cfg answers 500."""
DONE = 1

Handler = TypeVar("Handler", bound=Callable[..., int])


def entry(handler: Handler) -> Handler:
    """Make a method an entry point: whatever it raises is logged and counted, and the script goes on."""
    name = handler.__name__

    @functools.wraps(handler)
    def guarded(self: "Edge", *arguments: Any) -> int:
        try:
            return handler(self, *arguments)
        except Exception as error:  # noqa: BLE001  a raise here would mean no SIP reply at all
            self.failed_in(name, error)
            return NOT_DECIDED

    return guarded  # type: ignore[return-value]


class Worker:
    """What one process holds open: its snapshot, its spool, its logger."""

    def __init__(self, configured: settings.Settings, rank: int) -> None:
        logs.configure()
        self.log = logs.get("edge").bind(node=configured.node)
        # The timer processes have negative ranks, seldom write, and share one spool.
        self.spool = Spool(configured.spool, f"worker-{rank}" if rank >= 1 else "timers")
        self.reader = Reader()
        self._snapshot = configured.snapshot

    @functools.cached_property
    def directory(self) -> SnapshotDirectory:
        """The snapshot, opened when it is first asked: an event can be kept without one."""
        return SnapshotDirectory(self._snapshot)

    def keep(self, event: events.Event) -> None:
        """Spool an event."""
        if not self.spool.append(event):
            self.log.error("spool_refused", call=event.call, kind=type(event).__name__, lost=self.spool.lost)


class Edge:
    """The object whose methods Kamailio calls. A process opens its Worker after the fork."""

    def __init__(self, configured: settings.Settings) -> None:
        self._settings = configured
        self._rank = 0
        self._opened: Worker | None = None

    def child_init(self, rank: int) -> int:
        """Remember who this process is; the timers and the main process open nothing until they must."""
        self._rank = rank
        if rank >= 1:
            try:
                with self._worker().directory:
                    pass  # what every call needs is decoded now, not by the first call
            except Exception as error:  # noqa: BLE001  the first call tries again, and says so again
                self.failed_in("child_init", error)
        return 0

    def _worker(self) -> Worker:
        if self._opened is None:
            self._opened = Worker(self._settings, self._rank)
        return self._opened

    def failed_in(self, handler: str, error: Exception) -> None:
        """Tell of an exception at an entry point."""
        metrics.handler_errors.labels(handler).inc()
        logs.configure()
        logs.get("edge").error("handler_failed", handler=handler, error=repr(error), rank=self._rank)

    # -- initial INVITE ------------------------------------------------------------------------------

    @entry
    def invite(self, _: Any) -> int:
        """Decide on an initial INVITE."""
        source = KSR.pv.gete("$avp(source)")
        leg = callid.new()
        call = text("$hdr(X-FMC-Call)") or "" if source == MEDIA else leg
        return self._decide(source, call if callid.valid(call) else leg, leg, media_up=True)

    @entry
    def media_down(self, _: Any) -> int:
        """Decide again: no media server took the call."""
        ids = Ids.read()
        return self._decide(ids.source, ids.call, ids.leg, media_up=False)

    def _decide(self, source: str, call: str, leg: str, *, media_up: bool) -> int:
        begun = time.time_ns()
        worker = self._worker()
        with worker.directory as directory:
            invite = worker.reader.read(source, directory, media_up=media_up)
            decision = decide(invite, directory, self._settings.listen)
            ids = Ids(call, leg, "", source, decision.called.canonical or "")
            code = _carry_out(decision, ids, directory)
        # Spooled before the route relays: what happens from here on has a record. This one write also
        # carries what the ship agent counts and logs, off the SIP path (ADR 0006).
        worker.keep(
            events.Started(
                call=call,
                leg=leg,
                at=begun // 1000,
                node=self._settings.node,
                source=source,
                direction=decision.direction,
                action=decision.action,
                reason=decision.reason,
                calling=decision.calling,
                called=decision.called,
                tenant=decision.tenant,
                subscriber=decision.subscriber,
                service=decision.service,
                record=decision.record,
                announce=decision.announce,
                egress=decision.targets[0].trunk if decision.targets else None,
                status=decision.status,
                identity=decision.identity,
                calling_header=decision.calling_header,
                called_header=decision.called_header,
                written={
                    to.trunk: {"Request-URI": to.uri, **to.headers} for to in decision.targets if to.trunk
                },
                presented={to.trunk: to.presented for to in decision.targets if to.trunk},
                degraded=decision.degraded,
                sip_call_id=text("$ci") or "",
                microseconds=(time.time_ns() - begun) // 1000,
            )
        )
        return code

    # -- failover ------------------------------------------------------------------------------------

    @entry
    def next_target(self, _: Any) -> int:
        """Prepare the next trunk of the route: this one's peers all failed."""
        attempts = apply.kept()
        if not attempts:
            return apply.REFUSED
        with self._worker().directory as directory:
            return apply.after(attempts, Ids.read(), directory.trunk_set)

    # -- who a party says it is, in a reply or a later request; arguments: the way, then the ids ------

    @entry
    def connected(self, _: Any, arguments: str) -> int:
        """Show the other side who this side says it is now. What was said is stripped already.

        The way is "up" towards the calling side, "down" towards the called one.
        """
        way, *kept = arguments.split(" ")
        ids = Ids(*kept)
        worker = self._worker()
        with worker.directory as directory:
            callee = directory.trunk(ids.egress) if ids.egress else None
            caller = None if ids.source == MEDIA else directory.trunk(ids.source)
            if (callee is None and ids.egress) or (caller is None and ids.source != MEDIA):
                return DONE  # the trunk is gone: what it says, or may be told, is not known any more
            sender, receiver, called = (
                (callee, caller, ids.called or None) if way == "up" else (caller, callee, None)
            )
            told = connected(connected_headers(), sender, receiver, called, self._settings.listen)
        apply.append(told.headers)
        # What a media server says of itself is what it was told by the edge.
        if sender is not None and told.identity:
            worker.keep(
                events.Connected(
                    call=ids.call,
                    leg=ids.leg,
                    at=time.time_ns() // 1000,
                    side="called" if way == "up" else "calling",
                    identity=told.identity,
                    trunk=sender.name,
                )
            )
        return DONE

    # -- events of a tracked leg; arguments: [reply's status, ours] and the ids -----------------------

    @entry
    def answered(self, _: Any, arguments: str) -> int:
        """The leg was answered."""
        ids = Ids(*arguments.split(" "))
        self._worker().keep(
            events.Answered(call=ids.call, leg=ids.leg, at=time.time_ns() // 1000, egress=ids.egress or None)
        )
        return DONE

    @entry
    def ended(self, _: Any, arguments: str) -> int:
        """The answered leg is over."""
        ids = Ids(*arguments.split(" "))
        self._worker().keep(events.Ended(call=ids.call, leg=ids.leg, at=time.time_ns() // 1000))
        return DONE

    @entry
    def failed(self, _: Any, arguments: str) -> int:
        """The leg was never answered."""
        replied, ours, *kept = arguments.split(" ")
        ids = Ids(*kept)
        status = replied if replied.isdigit() else ours
        self._worker().keep(
            events.Failed(
                call=ids.call,
                leg=ids.leg,
                at=time.time_ns() // 1000,
                status=int(status) if status.isdigit() else 408,
                egress=ids.egress or None,
            )
        )
        return DONE


def _carry_out(decision: Decision, ids: Ids, directory: SnapshotDirectory) -> int:
    if decision.action == "media":
        return apply.to_media(decision, ids)
    if decision.action == "trunk":
        return apply.to_trunks(decision, ids, directory.trunk_set)
    # A device is reached by its registration; nothing registers here yet.
    return apply.refuse(decision.status or 480)


def mod_init() -> Edge:
    """Called once, before the fork: import and freeze everything that all workers share."""
    configured = settings.load()
    metrics.use(configured.metrics_files / "edge")
    edge = Edge(configured)
    # What is loaded now lives as long as the process: keep the collector from walking, and so from
    # copying, the pages that all workers share.
    gc.collect()
    gc.freeze()
    # Nothing that a handler makes refers to itself: what a call leaves is freed by counting references.
    gc.set_threshold(100_000)
    return edge
