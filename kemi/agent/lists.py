"""Keeps Kamailio's lists on disk as the snapshot has them, and has a running Kamailio load them."""

import os
import tempfile
import time
from pathlib import Path

from kemi import logs
from kemi.agent import rpc
from kemi.agent.kamailio_files import address_list, dispatcher_list
from kemi.directory.snapshot import Globals
from kemi.settings import Settings

RELOADS = {"address.list": "permissions.addressReload", "dispatcher.list": "dispatcher.reload"}
"""What Kamailio has to be told when a file is new."""

RETRY_SECONDS = 1.0
"""After this a reload that Kamailio did not do is asked for again (it takes one in reload_delta seconds)."""


class Lists:
    """The lists of a node. A running call never depends on them; a new one does, on both sides of a change.

    So a dispatcher set is there before the snapshot sends calls to it, and goes when it does not any more. A
    source is known after the snapshot knows its trunk: until then its INVITE is repeated, not refused.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._log = logs.get("sync")
        # What an agent before this one wrote may never have been loaded: ask once in any case.
        self._to_reload = set(RELOADS)
        self._reload_at = 0.0
        self.refused = ""

    def prepare(self, small: Globals) -> set[str]:
        """Add the dispatcher sets that are new, before the snapshot is; gives the files that changed."""
        path = self._settings.kamailio / "dispatcher.list"
        try:
            old = path.read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return set()
        new = _texts(small)["dispatcher.list"].splitlines(keepends=True)
        changed = self._write(
            {path.name: "".join(dict.fromkeys([*new, *old]))} if set(new) - set(old) else {}
        )
        if changed:
            self.reload()
        return changed

    def finish(self, small: Globals) -> set[str]:
        """Write them as the snapshot is; gives the files that changed."""
        return self._write(_texts(small))

    def missing(self) -> bool:
        """Whether one of them is not there."""
        return not all((self._settings.kamailio / name).exists() for name in RELOADS)

    def _write(self, texts: dict[str, str]) -> set[str]:
        self._settings.kamailio.mkdir(parents=True, exist_ok=True)
        changed = {name for name, text in texts.items() if _replace(self._settings.kamailio / name, text)}
        self._to_reload |= changed
        return changed

    def reload(self) -> None:
        """Tell Kamailio what to load; what it did not do is asked for again later."""
        if time.monotonic() < self._reload_at:
            return
        for file in sorted(self._to_reload):
            try:
                rpc.call(self._settings.kamailio_rpc, RELOADS[file])
            except rpc.UnreachableError:
                # It is not running, and loads the files when it starts.
                self._reload_at = time.monotonic() + RETRY_SECONDS
                return
            except rpc.RefusedError as error:
                self.refused = str(error)
                self._log.warning("reload_refused", file=file, why=str(error))
                self._reload_at = time.monotonic() + RETRY_SECONDS
                return
            self._to_reload.discard(file)
            self.refused = ""
            self._log.info("reloaded", file=file)


def _texts(small: Globals) -> dict[str, str]:
    return {
        "address.list": address_list(small.trunks, small.media),
        "dispatcher.list": dispatcher_list(small.trunks, small.sets, small.media),
    }


def _replace(path: Path, text: str) -> bool:
    """Put a file in place whole, also in a power cut; False where it already says the same."""
    content = text.encode()
    if path.exists() and path.read_bytes() == content:
        return False
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            # mkstemp makes it private; Kamailio may run as another user.
            os.fchmod(descriptor, 0o644)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return True
