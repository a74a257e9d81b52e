"""Read an initial INVITE: from Kamailio's pseudo-variables to a Call."""

import KSR

from kemi.routing.model import MEDIA, Call, Directory, Fmc, Trunk

_MEDIA_HEADERS = ("From", "P-Asserted-Identity", "Privacy")


def _wanted(trunk: Trunk | None) -> tuple[str, ...]:
    """Which headers a decision about a call from this trunk may look at: each one read costs 0.4 µs."""
    if trunk is None:
        return _MEDIA_HEADERS
    names = dict.fromkeys((*trunk.identity, "From", "Privacy"))
    if trunk.called_from == "To":
        names["To"] = None
    if trunk.kind == "mvno":
        names["Loop-Guard"] = None
        names["P-Served-User"] = None
    return tuple(names)


class Reader:
    """Builds Calls; remembers for each trunk which headers matter, until the directory changes."""

    def __init__(self) -> None:
        self._revision = -1
        self._names: dict[str, tuple[tuple[str, str], ...]] = {}

    def _headers(self, source: str, directory: Directory) -> dict[str, str]:
        if directory.revision != self._revision:
            self._names.clear()
            self._revision = directory.revision
        names = self._names.get(source)
        if names is None:
            trunk = None if source == MEDIA else directory.trunk(source)
            names = tuple((name, f"$hdr({name})") for name in _wanted(trunk))
            self._names[source] = names
        get = KSR.pv.get
        return {name: value for name, variable in names if (value := get(variable)) is not None}

    def read(self, source: str, directory: Directory, *, media_up: bool) -> Call:
        """Give the INVITE at hand as a value."""
        fmc = None
        gete = KSR.pv.gete
        if source == MEDIA:
            fmc = Fmc(
                tenant=gete("$hdr(X-FMC-Tenant)"),
                direction=gete("$hdr(X-FMC-Direction)"),
                subscriber=gete("$hdr(X-FMC-Subscriber)") or None,
                service=gete("$hdr(X-FMC-Service)") or None,
            )
        return Call(
            source=source,
            ruri=gete("$ru"),
            headers=self._headers(source, directory),
            fmc=fmc,
            media_up=media_up,
        )
