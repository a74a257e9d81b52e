"""fmcctl trunk: SIP peers, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import TRUNK

app = commands(
    TRUNK,
    Texts(
        about="SIP peers: add, list, show, change, remove.",
        plural="trunks",
        added="kind=carrier peers=sip:10.0.0.1 accept_from=10.0.0.1",
        changed="egress.shape=e164 numbers=+74957654321",
        columns=("kind", "peers", "numbers"),
    ),
)
