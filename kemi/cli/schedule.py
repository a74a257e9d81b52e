"""fmcctl schedule: opening hours of tenants, one at a time."""

from kemi.cli.nouncommands import Texts, commands
from kemi.directory.nouns import SCHEDULE

app = commands(
    SCHEDULE,
    Texts(
        about="Opening hours of tenants: add, list, show, change, remove.",
        plural="schedules",
        added="timezone=Asia/Omsk open='Sat 10:00-14:00'",
        changed="closed_to=voicemail:201",
        columns=("timezone", "open", "closed_to"),
    ),
)
