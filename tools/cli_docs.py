#!/usr/bin/env python3
"""Write docs/cli.md from the help texts: run after a change of any of them. A test compares.

image/enter python tools/cli_docs.py
"""

from collections.abc import Iterator
from pathlib import Path

from kemi.cli.tree import commands

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

HEAD = """\
# fmcctl

Written by tools/cli_docs.py from the help texts of the commands: change those.

In a checkout the command is `bin/fmcctl`, which enters the image by itself. It works on the database of
`FMC_DATABASE` (default: SQLite in `FMC_STATE`). With `--data FILE.yaml`, `number`, `explain`, `replay`,
`check` and `export` work on a file alone; with `--snapshot`, `number`, `explain` and `replay` on what this
node's SIP workers decide by.

- **For people** an answer is a table of 80 columns; colours at a terminal, none in a pipe or where `NO_COLOR`
  is set.
- **For programs** `-F json` and `-F yaml`. Keys are added, none is renamed or removed. `-F` and `--data`
  stand before the command or behind it.
- **Exit status** 0: done. 1: the answer is no. 2: bad usage, or a file that cannot be used.
- **Errors** stand on standard error, one line each, and say what to do.
- **Questions** are asked only at a terminal. Without one, what cannot be taken back wants `--yes`.
- **Completion** in bash, zsh and fish, of names in the directory too: `fmcctl --install-completion bash`,
  then a new shell; it serves `bin/fmcctl` as well. `--show-completion bash` prints the script instead.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_parts())


def _parts() -> Iterator[str]:
    yield HEAD
    for words, _, context in commands():
        yield f"{'#' * min(2 + len(words[1:]), 3)} {' '.join(('fmcctl', *words))}\n"
        yield f"```text\n{context.get_help().rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
