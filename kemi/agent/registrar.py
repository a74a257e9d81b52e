"""Keeps Kamailio registered at the registrars of the trunks that ask for it (module uac), by RPC.

Kamailio sends, repeats and renews; the agent compares what it holds with what is wanted, and changes only
what differs. So a Kamailio that was started again is told all anew. A password comes from the environment
into Kamailio's memory by the RPC socket: it stands in no file and in no message.
"""

import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from kemi import logs, metrics
from kemi.agent import rpc
from kemi.agent.nodestate import Registration
from kemi.agent.report import Known
from kemi.directory.snapshot import Registering
from kemi.settings import Settings

LOOK_SECONDS = 0.5

RETRY_SECONDS = 30
"""As reg_retry_interval in kamailio/modules.cfg: a failed record is due so long after it failed."""

ONGOING, ONLINE = 2, 4
"""Flags of a record (Kamailio 6.1, modules/uac/uac_reg.c)."""

NONE = "."
"""What stands for nothing in the parameters of uac.reg_add."""

_USER = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%-]+")
"""RFC 3261's user part: it is written into To, From and Authorization as it is."""


class Wanted(msgspec.Struct, frozen=True):
    """A registration that can be made. It holds a password: never to be shown."""

    asked: Registering
    password: str

    def __repr__(self) -> str:
        return f"Wanted({self.asked!r})"

    @property
    def domain(self) -> str:
        return self.asked.registrar.removeprefix("sip:").partition(";")[0]

    @property
    def address_of_record(self) -> str:
        """Under which what the registrar answers is kept (routes/request.cfg)."""
        return f"sip:{self.asked.user}@{self.domain}"

    def parameters(self) -> tuple[str | int, ...]:
        """For uac.reg_add: name, local and remote user, realm, credentials, registrar, expires, what else."""
        asked = self.asked
        local = (asked.trunk, asked.user, self.domain, asked.user, self.domain)
        return (
            *local,
            NONE,
            asked.user,
            self.password,
            NONE,
            asked.registrar,
            asked.expires,
            0,
            0,
            NONE,
            NONE,
        )

    def is_at(self, record: Mapping[str, Any]) -> bool:
        """Whether a record is of the same user at the same registrar."""
        held = record["r_username"], record["r_domain"], record["auth_username"], record["auth_proxy"]
        return held == (self.asked.user, self.domain, self.asked.user, self.asked.registrar)


def usable(password: str) -> bool:
    """Whether it can be given to Kamailio at all; the empty one, and what is no text, cannot."""
    return password.isprintable() and password not in {"", NONE}


class Registrar:
    """Registers from `start` to `stop`. What Kamailio holds stays when the agent ends."""

    def __init__(self, settings: Settings, known: Known, environment: Mapping[str, str] = os.environ) -> None:
        self._settings = settings
        self._known = known
        self._environment = environment
        self._log = logs.get("sync")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="register", daemon=True)
        self._given: dict[str, Wanted] = {}
        self._hindrance = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(LOOK_SECONDS)

    def _run(self) -> None:
        while not self._stop.is_set():
            small = self._known.small
            if small is not None:
                self._look(small.registrations)
            self._stop.wait(LOOK_SECONDS)

    def _look(self, asked: Iterable[Registering]) -> None:
        found, wanted = self._sorted(asked)
        try:
            found |= self._round(wanted)
        except (rpc.UnreachableError, rpc.RefusedError) as error:
            found |= {name: Registration("unknown", one.asked.registrar) for name, one in wanted.items()}
            # Whether Kamailio runs at all is said elsewhere.
            hindrance = str(error) if isinstance(error, rpc.RefusedError) else ""
        else:
            hindrance = ""
        if hindrance and hindrance != self._hindrance:
            self._log.warning("cannot_register", why=hindrance)
        self._hindrance = hindrance
        self._tell(found)

    def _sorted(self, asked: Iterable[Registering]) -> tuple[dict[str, Registration], dict[str, Wanted]]:
        """Those that cannot be made, and those that can."""
        cannot: dict[str, Registration] = {}
        wanted: dict[str, Wanted] = {}
        for one in asked:
            password = self._environment.get(one.password_env, "")
            if not _USER.fullmatch(one.user):
                cannot[one.trunk] = Registration("bad user", one.registrar)
            elif not usable(password):
                cannot[one.trunk] = Registration("no password", one.registrar, variable=one.password_env)
            else:
                wanted[one.trunk] = Wanted(one, password)
        return cannot, wanted

    def _tell(self, found: dict[str, Registration]) -> None:
        before = self._known.registrations
        for name, one in found.items():
            metrics.trunk_registered.labels(name).set(one.state == "registered")
            old = before.get(name)
            if old is None or (old.state, old.status) != (one.state, one.status):
                self._log.info("registration", trunk=name, state=one.state, status=one.status)
        for name in before.keys() - found.keys():
            metrics.trunk_registered.labels(name).set(float("nan"))
            self._log.info("registration", trunk=name, state="not asked for any more")
        self._known.registrations = found

    # -- with Kamailio ---------------------------------------------------------------------------------

    def _call(self, method: str, *parameters: str | int) -> Any:
        return rpc.call(self._settings.kamailio_rpc, method, *parameters)

    def _round(self, wanted: Mapping[str, Wanted]) -> dict[str, Registration]:
        records = {record["l_uuid"]: record for record in self._call("uac.reg_dump") or ()}
        for name, record in list(records.items()):
            if not self._fits(record, wanted.get(name)) and self._let_go(record, wanted.get(name)):
                del records[name]
        for name, one in wanted.items():
            if name not in records:
                self._add(one)
        return {name: self._state(one, records.get(name)) for name, one in wanted.items()}

    def _fits(self, record: Mapping[str, Any], wanted: Wanted | None) -> bool:
        if wanted is None or not record["expires"] or not wanted.is_at(record):
            return False
        given = self._given.get(record["l_uuid"])
        if given is not None:
            # The record's own expires may be another: what the registrar has asked for (423).
            return given == wanted
        if (record["expires"], record["auth_password"]) != (wanted.asked.expires, wanted.password):
            return False
        self._given[record["l_uuid"]] = wanted
        return True

    def _let_go(self, record: Mapping[str, Any], wanted: Wanted | None) -> bool:
        """End a record: at the registrar first, where it is registered. Gives whether it is gone."""
        if record["flags"] & ONGOING:
            # The answer would be taken for that of the next record with this name.
            return False
        name = record["l_uuid"]
        same = wanted is not None and wanted.is_at(record)
        if record["flags"] & ONLINE and record["expires"] and not same:
            self._call("uac.reg_unregister", "l_uuid", name)
            return False
        self._call("uac.reg_remove", name)
        self._call("htable.delete", "register", f"sip:{record['r_username']}@{record['r_domain']}")
        self._given.pop(name, None)
        return True

    def _add(self, one: Wanted) -> None:
        self._call("htable.sets", "register", one.address_of_record, "none")
        self._call("uac.reg_add", *one.parameters())
        self._given[one.asked.trunk] = one
        # At once, not at the timer's next look.
        self._call("uac.reg_register", "l_uuid", one.asked.trunk)

    def _state(self, one: Wanted, record: Mapping[str, Any] | None) -> Registration:
        registrar, now = one.asked.registrar, time.time()
        trying = Registration("trying", registrar)
        before = self._known.registrations.get(one.asked.trunk, trying)
        if record is None or not self._fits(record, one):
            return trying
        if record["flags"] & ONLINE:
            until = float(record["timer_expires"])
            return Registration("registered", registrar, until=until) if until > now else trying
        if record["flags"] & ONGOING:
            # It is renewed or tried again: until that has come out, what was goes on.
            over = before.registrar != registrar or (before.until is not None and before.until <= now)
            return trying if over or before.state in {"unknown", "no password", "bad user"} else before
        if not record["timer_expires"]:
            return trying
        status, at = self._answer(one)
        if status is None or at < record["timer_expires"] - RETRY_SECONDS - 1:
            return Registration("no answer", registrar)
        return Registration("refused", registrar, status=status)

    def _answer(self, one: Wanted) -> tuple[int | None, int]:
        """The registrar's last answer and when it came: a record that was refused failed at that moment."""
        try:
            held = self._call("htable.get", "register", one.address_of_record)
        except rpc.RefusedError:
            return None, 0
        words = str(held["item"]["value"]).split()
        return (int(words[0]), int(words[1])) if len(words) == 2 else (None, 0)
