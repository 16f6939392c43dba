"""What the verbs of the command line do; imported only when a verb is used."""

from janitor import startup

# Before any of them imports it.
startup.import_structlog()
