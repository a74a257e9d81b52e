"""Run one role in the foreground: python -m kemi.agent sync|ship.

`python -m kemi.agent sync --once` writes the snapshot and Kamailio's lists once and ends.
"""

import sys
from importlib import import_module

ROLES = ("sync", "ship")


def main(arguments: list[str]) -> int:
    """Start the role that is named; 2 on bad usage."""
    if arguments == ["sync", "--once"]:
        once: int = import_module("kemi.agent.sync").once()
        return once
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.stderr.write(f"usage: python -m kemi.agent {'|'.join(ROLES)} | sync --once\n")
        return 2
    role = import_module(f"kemi.agent.{arguments[0]}")
    status: int = role.main()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
