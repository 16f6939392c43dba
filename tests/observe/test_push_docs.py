"""What docs/cronjob-metrics.md shows can be used as it stands there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.debian import program

from janitor import settings

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cronjob-metrics.md").read_text(encoding="utf-8")

JOB = 'namespace="jobs", cronjob="upload-janitor"'
TESTS = """\
rule_files: [alerts.yaml]
evaluation_interval: 10m
tests:
{cases}
"""
CASE = """\
  - interval: 10m
    input_series:
      - {{series: '{series}', values: '{values}'}}
    alert_rule_test:
      - eval_time: {at}
        alertname: {name}
        exp_alerts: {expected}
"""


def blocks(kind: str) -> list[str]:
    """Give the fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENT, flags=re.DOTALL | re.MULTILINE)


def promtool(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run promtool; give what it says if it is not content."""
    done = subprocess.run(  # noqa: S603  # a program of Debian's
        [program("prometheus", "promtool"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=cwd,
    )
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("text", blocks("yaml config"))
def test_every_config_loads(tmp_path: Path, text: str) -> None:
    """Each block is a whole config without a problem, and pushes."""
    file = tmp_path / "janitor.yaml"
    file.write_text(text, encoding="utf-8")
    push = settings.load(file, {}).push

    assert push.pushgateway_url or push.textfile


def test_the_scrape_config_is_one(tmp_path: Path) -> None:
    """Promtool reads it, and it honours our labels."""
    (text,) = blocks("yaml prometheus")
    file = tmp_path / "prometheus.yml"
    file.write_text(text, encoding="utf-8")

    assert "" == promtool("check", "config", file)
    assert "honor_labels: true" in text


@pytest.mark.parametrize("expression", blocks("promql"))
def test_every_expression_parses(tmp_path: Path, expression: str) -> None:
    """Not as an alert, but as promtool reads a rule."""
    indented = "\n".join(f"          {line}" for line in expression.splitlines())
    rule = f"groups:\n  - name: x\n    rules:\n      - record: a:b\n        expr: |\n{indented}\n"
    file = tmp_path / "rule.yaml"
    file.write_text(rule, encoding="utf-8")

    assert "" == promtool("check", "rules", file)


@pytest.mark.parametrize(
    ("name", "series", "values", "at", "fires"),
    [
        # Seconds since 1970: the test's clock begins there.
        (
            "UploadJanitorJobNotSuccessful",
            f"kube_cronjob_status_last_successful_time{{{JOB}}}",
            "0x200",
            "19h",
            True,
        ),
        (
            "UploadJanitorJobNotSuccessful",
            f"kube_cronjob_status_last_successful_time{{{JOB}}}",
            "0+600x200",
            "19h",
            False,
        ),
        (
            "UploadJanitorJobNotSuccessful",
            f"kube_cronjob_created{{{JOB}}}",
            "0x200",
            "19h",
            True,
        ),
        (
            "UploadJanitorJobNotSuccessful",
            f"kube_cronjob_created{{{JOB}}}",
            "0x200",
            "17h",
            False,
        ),
        (
            "UploadJanitorJobFailed",
            'kube_job_status_failed{namespace="jobs", job_name="upload-janitor-1"}',
            "1x10",
            "1h",
            True,
        ),
        (
            "UploadJanitorJobFailed",
            'kube_job_status_failed{namespace="jobs", job_name="another-1"}',
            "1x10",
            "1h",
            False,
        ),
        (
            "UploadJanitorJobSuspended",
            f"kube_cronjob_spec_suspend{{{JOB}}}",
            "1x200",
            "25h",
            True,
        ),
        (
            "UploadJanitorJobSuspended",
            f"kube_cronjob_spec_suspend{{{JOB}}}",
            "1x100 0x100",
            "25h",
            False,
        ),
    ],
)
def test_every_alert_fires_when_it_should_and_only_then(  # noqa: PLR0913  # a table
    tmp_path: Path, name: str, series: str, values: str, at: str, *, fires: bool
) -> None:
    """One series raises it and one does not."""
    (text,) = blocks("yaml alerts")
    (tmp_path / "alerts.yaml").write_text(text, encoding="utf-8")
    case = CASE.format(series=series, values=values, at=at, name=name, expected="[]")
    (tmp_path / "tests.yaml").write_text(TESTS.format(cases=case), encoding="utf-8")
    said = promtool("test", "rules", "tests.yaml", cwd=tmp_path)

    assert "" == promtool("check", "rules", tmp_path / "alerts.yaml")
    assert fires == (f'alertname="{name}"' in said)
    assert fires == bool(said)


def test_every_way_is_explained() -> None:
    """The keys of the config, and the sources, are all there."""
    for word in (
        "delete_on_success",
        "--delete-on-success",
        "textfile",
        "grouping",
        "SSL_CERT_FILE",
    ):
        assert word in DOCUMENT
