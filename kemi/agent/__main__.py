"""Run one role in the foreground: python -m kemi.agent sync|ship."""

import sys
from importlib import import_module

ROLES = ("sync", "ship")


def main(arguments: list[str]) -> int:
    """Start the role that is named; 2 on bad usage."""
    if len(arguments) != 1 or arguments[0] not in ROLES:
        print(f"usage: python -m kemi.agent {'|'.join(ROLES)}", file=sys.stderr)
        return 2
    role = import_module(f"kemi.agent.{arguments[0]}")
    status: int = role.main()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
