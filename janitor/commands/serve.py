"""Runs the daemon: puts the service together from the settings."""

from __future__ import annotations

import os
import threading

from prometheus_client import CollectorRegistry

from janitor import settings
from janitor.observe import logs
from janitor.observe.metrics import Metrics
from janitor.service.daemon import serve
from janitor.wiring import Sweeper, hide_secrets


def run_serve(path: str) -> int:
    """Serve with the config at `path` until a signal comes, and give the exit code."""
    loaded = settings.load(path, os.environ)
    logs.configure(loaded.log.format, loaded.log.level)
    hide_secrets(loaded)
    metrics = Metrics(CollectorRegistry(), loaded.mode)
    stop = threading.Event()
    sweeper = Sweeper(loaded, observers=(metrics, logs.LogObserver()), stop=stop)
    return serve(loaded, sweeper.sweep, metrics, stop)
