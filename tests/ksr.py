"""A recording stand-in for Kamailio's KSR module: the few calls that kemi.edge makes, and nothing else."""

import re
import sys
from types import ModuleType

_ALL_VALUES = re.compile(r"\$\((\w+)\((\w+)\)\[\*\]\)")


class PseudoVariables:
    """KSR.pv: headers and variables of the one message at hand; an AVP set twice keeps the newest."""

    def __init__(self, values: dict[str, str | int]) -> None:
        self.values = values

    @staticmethod
    def _name(name: str) -> str:
        return _ALL_VALUES.sub(r"$\1(\2)", name)

    def get(self, name: str) -> str | int | None:
        return self.values.get(self._name(name))

    def gete(self, name: str) -> str | int:
        return self.values.get(self._name(name), "")

    def sets(self, name: str, value: str) -> int:
        assert isinstance(value, str), name
        self.values[self._name(name)] = value
        return 1

    def seti(self, name: str, value: int) -> int:
        assert isinstance(value, int), name
        self.values[self._name(name)] = value
        return 1

    def unset(self, name: str) -> int:
        self.values.pop(self._name(name), None)
        return 1


class Transactions:
    """KSR.tm: the replies that were sent."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, str]] = []

    def t_reply(self, status: int, phrase: str) -> int:
        self.replies.append((status, phrase))
        return 1


class Headers:
    """KSR.hdr: what was appended."""

    def __init__(self) -> None:
        self.appended: list[str] = []

    def append(self, lines: str) -> int:
        self.appended.append(lines)
        return 1


class FakeKsr(ModuleType):
    """The module `KSR`; `message` replaces the message at hand."""

    pv: PseudoVariables
    tm: Transactions
    hdr: Headers

    def __init__(self) -> None:
        super().__init__("KSR")
        self.message({})

    def message(self, values: dict[str, str | int]) -> None:
        self.pv = PseudoVariables(dict(values))
        self.tm = Transactions()
        self.hdr = Headers()


def install() -> FakeKsr:
    """Make `import KSR` find a fake; the one that is there already is kept."""
    module = sys.modules.get("KSR")
    if not isinstance(module, FakeKsr):
        module = FakeKsr()
        sys.modules["KSR"] = module
    return module
