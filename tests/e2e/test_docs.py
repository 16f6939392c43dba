"""The pages in docs/ are true: their configs load, and their links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from janitor import settings

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
ENVIRON = {"QINGSTOR_ACCESS_KEY_ID": "id", "QINGSTOR_SECRET_ACCESS_KEY": "secret"}


def configs() -> list[tuple[str, str]]:
    """Give every block that is a whole config, with the page that it is on."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^```yaml\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
        found += [(page.name, block) for block in blocks if block.startswith("version: 1\n")]
    return found


@pytest.mark.parametrize(("page", "text"), configs())
def test_every_whole_config_loads(tmp_path: Path, page: str, text: str) -> None:
    """Whoever copies it gets what the page promises."""
    # systemd puts them there.
    for name in re.findall(r"\$\{CREDENTIALS_DIRECTORY[^}]*\}/([\w.-]+)", text):
        (tmp_path / name).write_text("secret", encoding="utf-8")
    environ = ENVIRON | {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    file = tmp_path / "janitor.yaml"
    file.write_text(text, encoding="utf-8")

    assert settings.load(file, environ).targets, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the repository; the web is not asked."""
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]

    assert [] == missing


def test_there_are_pages() -> None:
    """Else the tests above would have nothing to say."""
    assert configs()
    assert len(PAGES) > 5
