"""Files that are no config at all are refused fast, in bounded memory, and in clear words."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support.settings_samples import LAKE, MEDIA, Load, Refuse

from janitor.settings import BadConfig, load

FAST = 1.0


def refusal(path: str) -> str:
    """Load what cannot be loaded, quickly, and give what is said."""
    started = time.monotonic()
    with pytest.raises(BadConfig) as caught:
        load(path, {})

    assert time.monotonic() - started < FAST
    return str(caught.value)


@pytest.fixture(autouse=True)
def _in_an_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_missing_file_is_named() -> None:
    """The operator sees which name was looked for."""
    assert refusal("nowhere.yaml") == "nowhere.yaml: does not exist: check the name of the file"


def test_a_directory_is_no_file() -> None:
    """Naming the directory of the config is a common slip."""
    assert refusal(".") == ".: is a directory: name a file"


def test_a_pipe_without_a_writer_does_not_hang() -> None:
    """Opening it is refused at once."""
    os.mkfifo("pipe")

    assert refusal("pipe") == (
        "pipe: is not a regular file: name a file, or pipe it in and say - for the file"
    )


def test_an_endless_device_is_no_config() -> None:
    """Nothing of it is read."""
    assert "is not a regular file" in refusal("/dev/zero")


def test_a_socket_is_no_config() -> None:
    """It cannot even be opened."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")

        assert refusal("sock") == "sock: is a socket or a device: name a file"


def test_a_huge_file_is_not_read() -> None:
    """100 MB are refused after the first MiB."""
    with Path("huge.yaml").open("wb") as file:
        file.truncate(100_000_000)

    assert refusal("huge.yaml") == (
        "huge.yaml: is larger than 1024 KiB: name the right file, or make it smaller"
    )


def test_a_name_beyond_all_bounds_is_said_to_be_one() -> None:
    """The file system's limits have words too."""
    assert refusal("x" * 300).endswith(": has a name that is too long: check it")


def test_a_name_with_nul_is_no_crash() -> None:
    """Python refuses it with another kind of error."""
    assert "cannot be read" in refusal("a\0b")


def test_a_file_that_fails_while_reading_is_said_to_fail() -> None:
    """Opening may work where reading does not."""
    assert "cannot be read: check its name and the disk it is on" in refusal("/proc/self/mem")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_who_must_be_allowed() -> None:
    """The remedy is a permission."""
    Path("janitor.yaml").write_text("version: 1\n")
    Path("janitor.yaml").chmod(0)

    assert refusal("janitor.yaml") == (
        "janitor.yaml: may not be read: give the janitor's user the right to read it"
    )


def test_a_loop_of_links_is_found() -> None:
    """The kernel gives up, and so do we."""
    Path("loop").symlink_to("loop")

    assert refusal("loop") == "loop: is a loop of symbolic links: name a file"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"\xef\xbb\xbfversion: 1\n", "1:1: starts with a byte order mark"),
        (b"version: 1\nmode: \xff\n", "2:7: is not UTF-8 from here"),
        ("version: 1".encode("utf-16"), "1:1: is not UTF-8 from here"),
        (b"version: 1\nmode: a\0b\n", "2:8: has a NUL byte, which YAML does not allow"),
        (b"version: 1\nmode: \x1b[31m\n", "2:7: has a control character"),
        (b"\0" * 1000, "1:1: has a NUL byte"),
        (b'a: "\\U00110000"\n', "1:1: has an escape that is no character"),
        (b'a: "\\ud800"\n', "1:4: a: has a line break or a control character"),
        (b'a: "\\0"\n', "1:4: a: has a line break or a control character"),
        (b'"a\\nb": 1\n', "1:1: has a key that is not a word"),
        (b"null: 1\n", "1:1: has a key that is not a word"),
        (b"a: [1, *x]\n", "1:8: a.1: is an alias"),
        (b"a: *\n", "1:5: has a * without quotes"),
        (b"a: & b\n", "1:5: has an & without quotes"),
        (b"--- |\n  text\n", "1:5: must have keys with values at the top"),
    ],
)
def test_bytes_that_are_no_config_are_refused_at_their_place(
    raw: bytes, said: str, refuse: Refuse
) -> None:
    """Encodings, NUL and tricks of YAML get a sentence and a position."""
    assert f"janitor.yaml:{said}" in refuse(raw)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 1_000_000,
        "a: " + "{" * 1_000_000,
        "- " * 500_000,
        "a: &a x\n" * 100_000,
        "a:\n" + "- x\n" * 250_000,
        "".join(" " * depth + "a:\n" for depth in range(1400)),
        "a: [" + "x," * 500_000 + "]",
        "x" * 1_000_000,
    ],
    ids=["brackets", "braces", "hyphens", "anchors", "a list", "levels", "commas", "a word"],
)
def test_a_file_made_to_be_slow_is_refused_soon(text: str, refuse: Refuse) -> None:
    """Depth and number of values are bounded, and so is what is said about them."""
    started = time.process_time()

    said = refuse(text)

    assert time.process_time() - started < 20
    assert len(said.splitlines()) <= 101


def test_a_file_of_mistakes_gets_a_short_list(refuse: Refuse) -> None:
    """The first hundred problems are enough to begin with."""
    said = refuse("".join(f"key{number}: 1\n" for number in range(500))).splitlines()

    assert len(said) == 101
    assert said[-1] == "janitor.yaml:99:1: 402 more problems: fix these first"


def secret_in(file: str) -> str:
    """Write the config whose secret is in a file."""
    text = MEDIA.replace("secret_access_key: SECRET", f"secret_access_key_file: {file}")
    return f"version: 1\n{text}"


@pytest.mark.parametrize("content", [b"SECRET", b"SECRET\n", b"SECRET\r\n"])
def test_a_secret_is_read_from_its_file(content: bytes, load_text: Load, tmp_path: Path) -> None:
    """One line break at the end does not belong to the secret."""
    (tmp_path / "secret").write_bytes(content)
    expected = load_text(f"version: 1\n{MEDIA}")

    actual = load_text(secret_in("secret"))

    assert expected == actual


def test_all_keys_can_come_from_files(load_text: Load, tmp_path: Path) -> None:
    """The id and the token have files like the secret."""
    names = ("access_key_id", "secret_access_key", "session_token")
    for name in names:
        (tmp_path / name).write_text(f"{name.upper()}\n")
    plain = "".join(f"    {name}: {name.upper()}\n" for name in names)
    files = "".join(f"    {name}_file: {name}\n" for name in names)
    expected = load_text(f"version: 1\n{LAKE}{plain}")

    actual = load_text(f"version: 1\n{LAKE}{files}")

    assert expected == actual


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty: write the secret into it"),
        (b"\n", "is empty: write the secret into it"),
        (b"one\ntwo\n", "has more than one line: write the secret alone"),
        (b"\xff\xfe", "is not UTF-8: write the secret alone, as text"),
        (b"two words", "has a space or a letter that no credential has"),
        (b"x" * 70_000, "is larger than 64 KiB"),
    ],
)
def test_a_file_without_a_secret_is_refused(content: bytes, said: str, refuse: Refuse) -> None:
    """Each mistake has its sentence, at the key that names the file."""
    Path("secret").write_bytes(content)

    assert f"janitor.yaml:8:29: targets.0.secret_access_key_file: {said}" in refuse(
        secret_in("secret")
    )


def test_a_directory_is_no_secret(refuse: Refuse) -> None:
    """A mounted Secret is a directory of files: one of them is meant."""
    Path("secrets").mkdir()

    assert "secret_access_key_file: is a directory: name a file" in refuse(secret_in("secrets"))


def test_a_pipe_may_hold_a_secret(load_text: Load, tmp_path: Path) -> None:
    """Shells hand over secrets as pipes, which have a writer."""
    os.mkfifo(tmp_path / "pipe")
    expected = load_text(f"version: 1\n{MEDIA}")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("SECRET\n",))
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer.start()
    writer.join()

    actual = load_text(secret_in(f"/dev/fd/{reader}"))
    os.close(reader)

    assert expected == actual


def test_a_pipe_that_says_nothing_is_given_up(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that is stuck does not stick us."""
    monkeypatch.setattr("janitor.settings.source._SECONDS_FOR_A_PIPE", 0.1)
    os.mkfifo("pipe")
    keeper = os.open("pipe", os.O_RDWR)

    said = refuse(secret_in("pipe"))
    os.close(keeper)

    assert "secret_access_key_file: gave no data for 5 s: name a file" in said


def output_of(*arguments: str) -> str:
    """Run Python in a process of its own, and give what it prints."""
    command = [sys.executable, *arguments]
    run = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  # ours
    return run.stdout


def test_the_schema_file_is_what_the_module_prints() -> None:
    """`config/schema.json` is made by one command, and is current."""
    config = Path(__file__).parents[2] / "config" / "schema.json"

    made = output_of("-m", "janitor.settings.json_schema")

    assert made == config.read_text()


def test_loading_is_quick_and_knows_no_cloud() -> None:
    """Neither SDK is imported, and the whole process takes less than 0.4 s of CPU time."""
    script = (
        "import sys, time\n"
        "from janitor import settings\n"
        "assert 'pydantic' not in sys.modules\n"
        "settings.load(sys.argv[1], {'QINGSTOR_ACCESS_KEY_ID': 'a',"
        " 'QINGSTOR_SECRET_ACCESS_KEY': 'b'})\n"
        "clouds = {'boto3', 'botocore', 'requests', 'qingstor.sdk'} & set(sys.modules)\n"
        "print(time.process_time(), sorted(clouds))\n"
    )
    example = Path(__file__).parents[2] / "config" / "janitor.example.yaml"

    runs = [output_of("-c", script, str(example)) for _ in range(3)]

    assert {run.split(" ", 1)[1] for run in runs} == {"[]\n"}
    assert min(float(run.split()[0]) for run in runs) < 0.4


def test_the_package_ships_its_data() -> None:
    """The texts are inside the package, so a wheel has them too."""
    import janitor.settings  # noqa: PLC0415  # only its place is wanted

    data = Path(janitor.settings.__file__).parent / "data"
    modes = {path.name: stat.S_ISREG(path.lstat().st_mode) for path in data.iterdir()}

    assert modes == {"janitor.example.yaml": True, "minimal.yaml": True}
    assert re.match(
        r"# yaml-language-server: \$schema=", (data / "janitor.example.yaml").read_text()
    )
