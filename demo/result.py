"""What became of one call: each thing that was looked at, and the words for the table."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.scenarios import Scenario

CallRecord = Mapping[str, Any]
"""One entry of `fmcctl calls list -F json`."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    expected: str
    seen: str
    ok: bool


@dataclass
class Result:
    """What happened to a call. The lists say in words what arrived, was heard and was kept."""

    scenario: Scenario
    checks: list[Check] = field(default_factory=list)
    arrived: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    record: CallRecord | None = None

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        return [check for check in self.checks if not check.ok]

    def equal(self, name: str, expected: object, seen: object) -> None:
        """Check that two values are the same."""
        self.checks.append(Check(name, str(expected), str(seen), expected == seen))

    def within(self, name: str, expected: str, seen: str, *, ok: bool) -> None:
        """Check a measure."""
        self.checks.append(Check(name, expected, seen, ok))
