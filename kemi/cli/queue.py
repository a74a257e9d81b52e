"""fmcctl queue: queues of tenants, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import QUEUE

app = commands(
    QUEUE,
    Texts(
        about="Queues of tenants: add, list, show, change, remove.",
        plural="queues",
        added="members=201,202",
        changed="strategy=linear overflow=voicemail:201",
        columns=("members", "strategy", "overflow"),
    ),
)
