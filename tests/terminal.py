"""A standard input that is a terminal, or is none."""


class Input:
    """Stands for sys.stdin."""

    def __init__(self, *, terminal: bool):
        self.isatty = lambda: terminal
