"""What the tests of the settings share: configs as text, loaded from real files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from support.certificates import write_certificates
from support.settings_samples import Load, Refuse

from janitor.settings import BadConfig, Settings, load


@pytest.fixture
def load_text(tmp_path: Path) -> Load:
    """Load a config from its text, as `janitor.yaml` in an empty directory."""

    def load_it(text: str, environ: Mapping[str, str] | None = None) -> Settings:
        path = tmp_path / "janitor.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ or {})

    return load_it


@pytest.fixture
def refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Load a config that must be refused, and give what is said about it."""
    monkeypatch.chdir(tmp_path)

    def refuse_it(content: str | bytes, environ: Mapping[str, str] | None = None) -> str:
        raw = content.encode() if isinstance(content, str) else content
        Path("janitor.yaml").write_bytes(raw)
        with pytest.raises(BadConfig) as caught:
            load("janitor.yaml", environ or {})
        return str(caught.value)

    return refuse_it


@pytest.fixture
def web_directory(tmp_path: Path) -> Path:
    """Give a directory with certificates that is not the config's own."""
    directory = tmp_path / "web"
    write_certificates(directory)
    return directory
