"""fmcctl destination: systems that receive call records, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import DESTINATION

app = commands(
    DESTINATION,
    Texts(
        about="Systems that receive call records: add, list, show, change, remove.",
        plural="destinations",
        added="kind=webhook url=https://crm.example/calls secret_env=SECRET",
        changed="url=https://crm.example/v2",
        columns=("kind", "portal", "url"),
    ),
)
