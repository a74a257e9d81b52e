"""fmcctl route: where numbers leave, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import ROUTE

app = commands(
    ROUTE,
    Texts(
        about="Where numbers leave: add, list, show, change, remove.",
        plural="routes",
        added="trunks=wholesale",
        changed="trunks=legacy-landline",
        columns=("trunks",),
    ),
)
