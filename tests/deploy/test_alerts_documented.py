"""What docs/alerts.md says of the alerts is so, and what it offers to copy can be used."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from support.debian import program
from support.prometheus import promtool
from support.rules import ROOT, alerts, fenced

PAGE = ROOT / "docs" / "alerts.md"
TEXT = PAGE.read_text("utf-8")
_ROW = re.compile(r"^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \| (\w+) \| .+ \|$", re.MULTILINE)


def test_the_table_of_alerts_is_current() -> None:
    """Names, pages, severities and how long they wait, in the order of the file."""
    expected = [
        (name, name, rule["labels"]["severity"], rule.get("for", "0m"))
        for name, rule in alerts().items()
    ]

    assert expected == _ROW.findall(TEXT)


def test_every_link_of_the_page_leads_somewhere() -> None:
    """Files that moved are noticed."""
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)

    assert [] == [link for link in links if not (PAGE.parent / link).exists()]


def test_the_rule_to_copy_is_a_rule(tmp_path: Path) -> None:
    """Promtool takes it."""
    (block,) = fenced(TEXT, "yaml rule")
    rule = tmp_path / "rule.yaml"
    rule.write_text(f"{block}\n", encoding="utf-8")
    checked = promtool("check", "rules", rule)

    assert 0 == checked.returncode, checked.stdout


def test_the_inhibitions_to_copy_are_a_config(tmp_path: Path) -> None:
    """Alertmanager's own checker takes them, and they name alerts that exist."""
    (block,) = fenced(TEXT, "yaml inhibit")
    config = tmp_path / "alertmanager.yml"
    config.write_text(f"route: {{receiver: nobody}}\nreceivers: [{{name: nobody}}]\n{block}\n")
    checked = subprocess.run(  # noqa: S603  # a program of Debian's
        [program("prometheus-alertmanager", "amtool"), "check-config", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    patterns = re.findall(r'alertname =~? "([^"]+)"', block)

    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert 4 == len(patterns)
    assert all(_alternatives(pattern) <= set(alerts()) for pattern in patterns)


def _alternatives(pattern: str) -> set[str]:
    """Write out the names that a pattern with one group of alternatives fits."""
    found = re.fullmatch(r"(\w*)(?:\(([\w|]+)\))?(\w*)", pattern)

    assert found is not None
    return {f"{found[1]}{middle}{found[3]}" for middle in (found[2] or "").split("|")}
