"""fmcctl destination: systems that receive call records, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import DESTINATION

app = commands(
    DESTINATION,
    Texts(
        about="Systems that receive call records: add, list, show, change, remove.",
        plural="destinations",
        added="kind=webhook url=http://crm secret_env=S",
        changed="create_leads=yes",
        columns=("kind", "portal", "url"),
    ),
)
