"""Runs Debian's Prometheus with its pages, for people: `make prometheus`."""

from __future__ import annotations

import os
import shutil
import sys

from support.debian import unpacked

# Its pages are made of other packages.
_PACKAGES = (
    "prometheus",
    "fonts-glyphicons-halflings",
    "libjs-bootstrap4",
    "libjs-d3",
    "libjs-eonasdan-bootstrap-datetimepicker",
    "libjs-jquery",
    "libjs-jquery-hotkeys",
    "libjs-moment",
    "libjs-moment-timezone",
    "libjs-mustache",
    "libjs-popper.js",
    "libjs-rickshaw",
)


def arguments() -> list[str]:
    """Give the command; where Prometheus is installed, its pages are, too."""
    installed = shutil.which("prometheus")
    if installed is not None:
        return [installed, *sys.argv[1:]]
    root = unpacked("prometheus-with-pages", *_PACKAGES)
    assets = f"--web.local-assets={root}/usr/share/prometheus/web"
    return [f"{root}/usr/bin/prometheus", *sys.argv[1:], assets]


if __name__ == "__main__":
    command = arguments()
    os.execv(command[0], command)  # noqa: S606  # what it is for
