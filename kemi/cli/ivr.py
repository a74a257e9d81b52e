"""fmcctl ivr: voice menus of tenants, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import IVR

app = commands(
    IVR,
    Texts(
        about="Voice menus of tenants: add, list, show, change, remove.",
        plural="ivrs",
        added="greeting=welcome choices.1=queue:sales",
        changed="choices.2=subscriber:202 direct_dial=true",
        columns=("greeting", "schedule", "choices"),
        article="an",
    ),
)
