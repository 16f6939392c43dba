"""The upload janitor: finds stale multipart uploads and, if told to, aborts them."""

__version__ = "0.1.0"
