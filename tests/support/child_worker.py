"""A worker of a test: the product's own, with settings that the test has made."""

from __future__ import annotations

import sys

from janitor.backends import child
from support import worker_settings

worker_settings.install()

if __name__ == "__main__":
    child.main(int(sys.argv[1]))
