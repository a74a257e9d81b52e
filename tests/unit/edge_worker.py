"""A worker of kemi.edge without Kamailio: the fake KSR, a real snapshot and a real spool."""

from pathlib import Path

import company
import ksr

KSR = ksr.install()

from kemi import settings  # noqa: E402  kemi.edge must find the fake
from kemi.calls import events  # noqa: E402
from kemi.directory import generation, snapshot  # noqa: E402
from kemi.edge.handlers import Edge  # noqa: E402

SETS = {trunk.name: 100 + index for index, trunk in enumerate(company.TRUNKS)}
HOST = "192.0.2.1:5060"


# What a test writes is in effect at once.
snapshot.LOOK_SECONDS = 0


def write_snapshot(configured: settings.Settings, revision: int = 1, **changed: object) -> None:
    parts = {
        "trunks": company.TRUNKS,
        "routes": tuple(sorted(company.ROUTES, key=lambda route: -len(route.prefix))),
        "sets": SETS,
    }
    small = snapshot.Globals(**(parts | changed))
    generation.write(
        configured.snapshot, revision, small, (company.COMPANY,), company.SUBSCRIBERS, company.DIDS
    )


class Bench:
    """One process with rank 1, its state in a directory of the test."""

    def __init__(self, state: Path) -> None:
        self.settings = settings.load(
            {"FMC_STATE": str(state), "FMC_LISTEN": HOST, "FMC_NODE": "edge-1"},
        )
        self.edge = Edge(self.settings)

    def opened(self) -> "Bench":
        write_snapshot(self.settings)
        assert self.edge.child_init(1) == 0
        return self

    def message(self, source: str, user: str, **headers: str) -> None:
        """The INVITE at hand; `headers` with _ for -."""
        values = {"$avp(source)": source, "$ou": f"sip:{user}@{HOST}", "$ci": "c@phone"}
        values |= {f"$hdr({name.replace('_', '-')})": value for name, value in headers.items()}
        KSR.message(values)

    def value(self, name: str) -> object:
        return KSR.pv.values.get(name)

    @property
    def replies(self) -> list[int]:
        return [status for status, _ in KSR.tm.replies]

    def spooled(self) -> list[events.Event]:
        """Read through the writer: LMDB opens an environment once a process."""
        with self.edge._worker().spool._writer._env.begin() as txn:
            return [events.decode(payload) for _, payload in txn.cursor()]
