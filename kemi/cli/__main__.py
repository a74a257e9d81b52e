"""python -m kemi.cli: the same as fmcctl."""

import sys

from kemi.cli import main

if __name__ == "__main__":
    sys.exit(main())
