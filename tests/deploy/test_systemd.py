"""The systemd units: systemd itself reads them, and scores how much they give away."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.debian import program

from janitor import settings
from janitor.cli import janitor

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "systemd"
PAGE = ROOT / "docs" / "systemd.md"
SERVICES = ["upload-janitor.service", "upload-janitor-sweep.service"]
TIMER = "upload-janitor-sweep.timer"
INSTALLED = "/opt/upload-janitor/bin/janitor"
WORST_SCORE = 2.0


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Copy the units, with a program in them that every machine has."""
    for unit in FOLDER.iterdir():
        text = unit.read_text(encoding="utf-8").replace(INSTALLED, "/bin/true")
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    return tmp_path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(  # noqa: S603  # Debian's own program
        [program("systemd", "systemd-analyze"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def values(unit: str, key: str) -> list[str]:
    """Give all that a unit says of a key, in order."""
    lines = (FOLDER / unit).read_text(encoding="utf-8").splitlines()
    return [value for name, _, value in (line.partition("=") for line in lines) if name == key]


def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    """Unknown keys, values that it does not take and programs that are not there are told."""
    done = analyze("verify", *sorted(installed.iterdir()))

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("unit", SERVICES)
def test_a_service_gives_little_away(installed: Path, unit: str) -> None:
    """Systemd's own score, from 0 (locked up) to 10 (free), stays below what was promised."""
    done = analyze("security", "--offline=true", "--no-pager", installed / unit)
    told = re.search(r"Overall exposure level for \S+: ([\d.]+) OK", done.stdout)

    assert told, done.stdout
    assert float(told.group(1)) <= WORST_SCORE


@pytest.mark.parametrize("unit", SERVICES)
def test_every_gap_in_the_sandbox_is_explained(installed: Path, unit: str) -> None:
    """Whatever systemd counts against us stands in the documentation with its reason."""
    done = analyze("security", "--offline=true", "--json=short", installed / unit)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    gaps = {item["name"] for item in found if item["exposure"]}
    page = PAGE.read_text(encoding="utf-8").replace("\\|", "|")

    assert len(found) > 50
    assert set() == gaps - set(re.findall(r"^\| `([^`]*=[^`]*)` \|", page, re.MULTILINE))


def test_both_services_live_in_the_same_sandbox() -> None:
    """What is locked for the daemon is locked for the sweep, and they share one ledger."""
    first, second = (
        (FOLDER / unit).read_text(encoding="utf-8").partition("\n# An account")[2].splitlines()
        for unit in SERVICES
    )
    install = ["[Install]", "WantedBy=multi-user.target", ""]

    assert set(first) - set(second) - {*install, "LoadCredential=upload-janitor.web-users"} == set()
    assert set(second) <= set(first)


@pytest.mark.parametrize("unit", SERVICES)
def test_the_program_is_called_as_it_wants_to_be_called(unit: str) -> None:
    """Every flag of the command line exists."""
    (line,) = values(unit, "ExecStart")
    executable, verb, *arguments = line.split()
    done = CliRunner().invoke(janitor, [verb, "--help"])
    flags = [argument for argument in arguments if argument.startswith("-")]

    assert INSTALLED == executable
    assert 0 == done.exit_code
    assert [] == [flag for flag in flags if flag not in done.output]
    assert "/etc/upload-janitor/janitor.yaml" == arguments[-1]


def test_the_daemon_says_itself_when_it_is_ready() -> None:
    """Systemd 252 knows no notify-reload, so a reload is a signal."""
    unit = "upload-janitor.service"

    assert ["notify"] == values(unit, "Type")
    assert ["/bin/kill -HUP $MAINPID"] == values(unit, "ExecReload")
    assert ["main"] == values(unit, "NotifyAccess")
    assert ["64 78"] == values(unit, "RestartPreventExitStatus")
    assert [] != values(unit, "WatchdogSec")


@pytest.mark.parametrize("unit", SERVICES)
def test_a_failed_sweep_is_a_failed_unit(unit: str) -> None:
    """Only a stop by systemctl is taken for a success; 3, 4 and 75 are not."""
    assert ["143"] == values(unit, "SuccessExitStatus")


def test_the_timer_fires_when_the_default_schedule_does() -> None:
    """Six hours apart, 17 minutes past, in UTC: the alerts take the interval from the config."""
    example = (ROOT / "config" / "janitor.example.yaml").read_text(encoding="utf-8")
    (calendar,) = values(TIMER, "OnCalendar")
    done = analyze("calendar", "--iterations=5", calendar)
    hours = re.findall(r"\(in UTC\)|(?:elapse|#\d+): \w+ \S+ (\d\d:\d\d:\d\d) UTC", done.stdout)

    assert 'cron: "17 */6 * * *"' in example
    assert {"00:17:00", "06:17:00", "12:17:00", "18:17:00"} == {hour for hour in hours if hour}
    assert ["5min"] == values(TIMER, "RandomizedDelaySec")
    assert ["yes"] == values(TIMER, "Persistent")


def test_a_machine_has_the_daemon_or_the_timer() -> None:
    """Both would sweep the same ledger; the second would end with 75 each time."""
    assert ["upload-janitor.service"] == values(TIMER, "Conflicts")


def test_a_sweep_may_run_as_long_as_the_config_says() -> None:
    """Systemd ends a sweep only after the janitor should have ended it itself."""
    (limit,) = values("upload-janitor-sweep.service", "TimeoutStartSec")
    done = analyze("timespan", limit)
    microseconds = re.search(r"(?:μs|us): (\d+)", done.stdout)

    assert microseconds, done.stdout
    assert settings.types.Settings(targets=()).execution.run_timeout.total_seconds() < (
        int(microseconds.group(1)) / 1_000_000
    )


def test_secrets_come_from_the_credentials_of_the_service(tmp_path: Path) -> None:
    """The config of the documentation reads what LoadCredential puts there, or /etc/credstore."""
    names = {name for unit in SERVICES for name in values(unit, "LoadCredential")}
    config = _example("yaml")
    for name in names:
        (tmp_path / name).write_text("a-secret\n", encoding="utf-8")
    path = tmp_path / "janitor.yaml"
    path.write_text(config, encoding="utf-8")
    loaded = settings.load(path, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    used = set(re.findall(r"\$\{CREDENTIALS_DIRECTORY:-/etc/credstore\}/([\w.-]+)", config))

    assert ["media", "lake"] == [target.name for target in loaded.targets]
    assert used <= names
    assert used
    assert all(name.startswith("upload-janitor.") for name in names)


def _example(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return str(found)


def test_the_page_about_systemd_leads_somewhere() -> None:
    """Its links exist, and it names every unit."""
    text = PAGE.read_text(encoding="utf-8")
    links: Sequence[str] = re.findall(r"\]\(((?!https?:)[^)#]+)\)", text)

    assert [] == [link for link in links if not (PAGE.parent / link).exists()]
    assert {*SERVICES, TIMER} <= {link.rpartition("/")[2] for link in links}
