"""Whoever watches a config knows which other files it was made of."""

from __future__ import annotations

from pathlib import Path

from janitor import settings

HASH = "$2y$10$abcdefghijklmnopqrstuuJ8mZ3nFdrXwZ0Vd4X5n0mDq8y7uWv2K"


def test_the_files_beside_a_config_are_known(tmp_path: Path) -> None:
    """Secrets and users are in the settings, so that a new one is news."""
    (tmp_path / "id").write_text("AKIAEXAMPLE", encoding="utf-8")
    (tmp_path / "secret").write_text("s3cret", encoding="utf-8")
    (tmp_path / "users").write_text(f"basic_auth_users: {{a: {HASH}}}\n", encoding="utf-8")
    config = tmp_path / "janitor.yaml"
    config.write_text(
        "version: 1\n"
        "http: {basic_auth_users_file: users}\n"
        "targets:\n"
        "  - {name: a, provider: qingstor, zone: pek3b, buckets: [abcdef],"
        " access_key_id_file: id, secret_access_key_file: secret}\n",
        encoding="utf-8",
    )

    assert [str(tmp_path / name) for name in ("users", "id", "secret")] == list(
        settings.load(config, {}).side_files
    )
