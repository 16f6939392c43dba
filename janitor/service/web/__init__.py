"""What the daemon serves by HTTP: metrics, health and two pages. Only to be read: nothing acts."""

from janitor.service.web.app import application
from janitor.service.web.connection import Bounds
from janitor.service.web.server import Web

__all__ = ["Bounds", "Web", "application"]
