"""The compose file: everything that it mounts is there, and everybody accepts what is mounted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from support.debian import program

from janitor import settings
from janitor.cli import janitor

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "compose"
PAGE = ROOT / "docs" / "compose.md"
FILE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = FILE["services"]
OTHERS = sorted(set(SERVICES) - {"janitor"})


def mounts(service: str) -> dict[str, Path]:
    """Give what a service sees of the repository: where it sees it, and what it is."""
    return {
        volume["target"]: (FOLDER / volume["source"]).resolve()
        for volume in SERVICES[service]["volumes"]
        if volume["type"] == "bind"
    }


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(  # noqa: S603  # our own arguments
        command, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Lay all files out as the containers see them."""
    for service in SERVICES:
        for target, source in mounts(service).items():
            place = tmp_path / service / target.removeprefix("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, place)
    return tmp_path


def test_the_specification_accepts_it() -> None:
    """By the schema that the Compose Specification publishes."""
    check = Path(sys.executable).with_name("check-jsonschema")
    done = run(check, "--builtin-schema", "vendor.compose-spec", FOLDER / "compose.yaml")

    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_is_mounted_exists_and_is_read_only(service: str) -> None:
    """Docker would make a directory of what is missing, and say nothing."""
    binds = [one for one in SERVICES[service]["volumes"] if one["type"] == "bind"]
    named = [one["source"] for one in SERVICES[service]["volumes"] if one["type"] == "volume"]

    assert [] == [str(path) for path in mounts(service).values() if not path.exists()]
    assert all(one["read_only"] for one in binds)
    assert [service] == named
    assert service in FILE["volumes"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_rights(service: str) -> None:
    """No root, no capability, a root file system that is read-only, limits, and a health check."""
    told = SERVICES[service]
    user, _, _ = told["user"].partition(":")

    assert int(user) > 0
    assert (True, ["ALL"]) == (told["read_only"], told["cap_drop"])
    assert ["no-new-privileges:true"] == told["security_opt"]
    assert {"mem_limit", "pids_limit", "healthcheck", "logging"} <= set(told)
    assert "CMD" == told["healthcheck"]["test"][0]
    assert not {"privileged", "network_mode", "pid", "devices"} & set(told)


@pytest.mark.parametrize("service", SERVICES)
def test_ports_are_open_on_this_machine_only(service: str) -> None:
    """Whoever wants more puts a proxy in front."""
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in SERVICES[service]["ports"])


@pytest.mark.parametrize("service", OTHERS)
def test_foreign_images_are_pinned(service: str) -> None:
    """By a tag that people can read and a digest that nobody can move."""
    image = SERVICES[service]["image"]

    assert re.fullmatch(r"docker\.io/\S+:v?\d+\.\d+\.\d+@sha256:[0-9a-f]{64}", image)


def test_the_janitor_is_built_from_here() -> None:
    """With the Dockerfile of this repository, called as it wants to be called."""
    told = SERVICES["janitor"]
    context = (FOLDER / told["build"]["context"]).resolve()
    verb, *arguments = told["command"]
    done = CliRunner().invoke(janitor, [verb, "--help"])
    flags = [argument for argument in arguments if argument.startswith("-")]

    assert ROOT == context
    assert (context / told["build"]["dockerfile"]).exists()
    assert "65532:65532" == told["user"]
    assert [] == [flag for flag in flags if flag not in done.output]
    assert Path(arguments[1]).parent == Path("/etc/upload-janitor")
    assert Path(arguments[1]).parent.as_posix() in mounts("janitor")


def test_no_secret_is_in_the_repository() -> None:
    """They are files that git does not see, and no environment holds one."""
    files = {one["file"] for one in FILE["secrets"].values()}
    used = {name for service in SERVICES.values() for name in service.get("secrets", [])}
    ignored = (FOLDER / "secrets" / ".gitignore").read_text(encoding="utf-8").splitlines()
    variables = {**SERVICES["grafana"]["environment"]}

    assert used == set(FILE["secrets"])
    assert files == {f"./secrets/{name}" for name in used}
    assert "*" in ignored
    assert ["/run/secrets/grafana-admin-password"] == [
        value for name, value in variables.items() if "PASSWORD" in name
    ]


def test_the_janitors_config_is_fine_and_only_reports(inside: Path, tmp_path: Path) -> None:
    """The loader accepts it as it is mounted, with the secrets that compose gives."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in SERVICES["janitor"]["secrets"]:
        (secrets / name).write_text("a-secret", encoding="utf-8")
    config = inside / "janitor" / "etc" / "upload-janitor" / "janitor.yaml"
    loaded = settings.load(config, {"JANITOR_SECRETS": str(secrets)})
    text = config.read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{JANITOR_SECRETS:-/run/secrets\}/(\S+)", text))

    assert "report" == loaded.mode
    assert set(SERVICES["janitor"]["secrets"]) == used
    assert "listen: 0.0.0.0:10079" in text
    assert "sqlite:////var/lib/upload-janitor/" in text


def test_prometheus_accepts_its_config(inside: Path) -> None:
    """With the rules beside it, as they are mounted."""
    config = inside / "prometheus" / "etc" / "prometheus" / "prometheus.yml"
    done = run(program("prometheus", "promtool"), "check", "config", config)
    jobs = {job["job_name"]: job for job in _yaml(config)["scrape_configs"]}

    assert 0 == done.returncode, done.stdout + done.stderr
    assert 2 == done.stdout.count("rules found")
    assert ["janitor:10079"] == jobs["upload-janitor"]["static_configs"][0]["targets"]


def test_alertmanager_accepts_its_config(inside: Path) -> None:
    """And what it inhibits are alerts that there are."""
    config = inside / "alertmanager" / "etc" / "alertmanager" / "alertmanager.yml"
    done = run(program("prometheus-alertmanager", "amtool"), "check-config", config)
    alerts = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    named = re.findall(r"UploadJanitor[A-Z]\w+", config.read_text(encoding="utf-8"))

    assert 0 == done.returncode, done.stdout + done.stderr
    assert named
    assert [] == [name for name in named if f"alert: {name}\n" not in alerts]


def test_grafana_finds_its_dashboard_and_its_data(inside: Path) -> None:
    """The provider looks where the dashboard is mounted, and the source is of the kind it wants."""
    root = inside / "grafana"
    provisioning = root / "etc" / "grafana" / "provisioning"
    (source,) = _yaml(provisioning / "datasources" / "prometheus.yaml")["datasources"]
    (provider,) = _yaml(provisioning / "dashboards" / "upload-janitor.yaml")["providers"]
    path = provider["options"]["path"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    (dashboard,) = (root / path.removeprefix("/")).iterdir()
    variables = json.loads(dashboard.read_text(encoding="utf-8"))["templating"]["list"]
    kinds = [one["query"] for one in variables if one["type"] == "datasource"]

    assert f"{path}/{dashboard.name}" == home
    assert [source["type"]] == kinds
    assert ("http://prometheus:9090", True) == (source["url"], source["isDefault"])


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_the_health_check_tells_well_from_ill(status: int, healthy: bool) -> None:  # noqa: FBT001  # a table's column
    """The very command of the container, against a server that says one or the other."""
    _, *command = SERVICES["janitor"]["healthcheck"]["test"]
    with answering(status) as port:
        code = command[-1].replace(":10079", f":{port}")
        done = run(sys.executable, *command[1:-1], code)

    assert ["python", "-c"] == command[:-1]
    assert healthy == (done.returncode == 0)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer /healthz with one status, on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_page_about_compose_leads_somewhere() -> None:
    """Its links exist, and it names every port."""
    text = PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", text)
    ports = [port.rpartition(":")[0] for one in SERVICES.values() for port in one["ports"]]

    assert [] == [link for link in links if not (PAGE.parent / link).exists()]
    assert [] == [port for port in ports if f"http://{port}" not in text]
