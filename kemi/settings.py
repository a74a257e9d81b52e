"""Settings of a node: where its state lies and what it talks to, from the environment.

FMC_STATE       directory of everything that changes (default: var/ of the checkout, else /var/lib/fmc-edge)
FMC_DATABASE    SQLAlchemy URL (default: SQLite, fmc.sqlite in the state directory)
FMC_NODE        this node's name (default: the host's)
FMC_LISTEN      address:port the edge listens on for SIP (default: 127.0.0.1:5060)
FMC_MEDIA_LISTEN  address:port this node's media server listens on for SIP (default: 127.0.0.1:5080)
FMC_METRICS     address:port where the sync agent serves /metrics (default: 127.0.0.1:9464)
"""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

CHECKOUT = Path(__file__).resolve().parent.parent


class Settings(msgspec.Struct, frozen=True):
    """All settings, resolved once at start."""

    state: Path
    database: str
    node: str
    listen: str
    metrics: str
    media_listen: str = "127.0.0.1:5080"

    @property
    def snapshot(self) -> Path:
        """Directory of the LMDB snapshot that the SIP workers read."""
        return self.state / "snapshot"

    @property
    def spool(self) -> Path:
        """Directory of the event spool, one LMDB environment a worker below it."""
        return self.state / "spool"

    @property
    def media_spool(self) -> Path:
        """Directory where Asterisk leaves one JSON file for each channel that ended."""
        return self.state / "media-spool"

    @property
    def recordings(self) -> Path:
        """Directory of the recordings."""
        return self.state / "recordings"

    @property
    def kamailio(self) -> Path:
        """Directory of the files Kamailio reloads: address.list and dispatcher.list."""
        return self.state / "kamailio"

    @property
    def metrics_files(self) -> Path:
        """Directory of the parts' metric values (kemi.metrics)."""
        return self.state / "metrics"

    @property
    def run(self) -> Path:
        """Directory of sockets and pid files; short-lived."""
        return self.state / "run"

    @property
    def kamailio_rpc(self) -> Path:
        """Kamailio's JSON-RPC datagram socket (module jsonrpcs)."""
        return self.run / "kamailio-rpc.sock"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; nothing is created."""
    in_checkout = (CHECKOUT / "pyproject.toml").exists()
    default = CHECKOUT / "var" if in_checkout else Path("/var/lib/fmc-edge")
    state = Path(environ.get("FMC_STATE") or default).absolute()
    return Settings(
        state=state,
        database=environ.get("FMC_DATABASE") or f"sqlite:///{state / 'fmc.sqlite'}",
        node=environ.get("FMC_NODE") or socket.gethostname(),
        listen=environ.get("FMC_LISTEN") or "127.0.0.1:5060",
        metrics=environ.get("FMC_METRICS") or "127.0.0.1:9464",
        media_listen=environ.get("FMC_MEDIA_LISTEN") or "127.0.0.1:5080",
    )
