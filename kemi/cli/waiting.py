"""A bar for what takes long: at a terminal only, and only after two seconds."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE = 2.0
"""Seconds without a bar."""


class Bar:
    """How far something is, on standard error; gone when it is done."""

    def __init__(self, words: str, total: int) -> None:
        self._words = words
        self._total = total
        self._done = 0
        self._due = time.monotonic() + PATIENCE
        self._shown: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._shown.stop()

    def add(self, count: int) -> None:
        """So many more are done."""
        self.reach(self._done + count)

    def reach(self, done: int) -> None:
        """So many are done in all."""
        self._done = done
        if self._shown is not None:
            self._shown.update(self._shown.task_ids[0], completed=done)
        elif time.monotonic() >= self._due:
            self._show()

    def _show(self) -> None:
        from rich.console import Console  # noqa: PLC0415  most commands are done before they need it
        from rich.progress import Progress  # noqa: PLC0415  as above

        console = Console(stderr=True)
        if not console.is_terminal:
            self._due = float("inf")
            return
        self._shown = Progress(console=console, transient=True)
        self._shown.add_task(self._words, total=self._total, completed=self._done)
        self._shown.start()
