"""New content is noticed once, however it comes, and never half of it."""

from __future__ import annotations

import os
from pathlib import Path

from janitor.service.watching import LOOK_EVERY, TRY_AGAIN_EVERY, Watch


class Clock:
    """A clock that is put forward by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


def looks(watch: Watch, clock: Clock, times: int) -> list[bool]:
    """Let time pass, and ask each time."""
    found = []
    for _ in range(times):
        clock.now += LOOK_EVERY
        found.append(watch.changed())
    return found


def watching(*files: Path) -> tuple[Watch, Clock]:
    """Watch files with a clock of our own."""
    clock = Clock()
    return Watch(files, clock), clock


def test_what_stays_the_same_is_no_news(tmp_path: Path) -> None:
    """Not even if it is written again."""
    file = tmp_path / "janitor.yaml"
    file.write_text("version: 1\n", encoding="utf-8")
    watch, clock = watching(file)
    before = looks(watch, clock, 3)
    file.write_text("version: 1\n", encoding="utf-8")

    assert [False] * 6 == [*before, *looks(watch, clock, 3)]


def test_new_content_is_told_once_when_it_stands_still(tmp_path: Path) -> None:
    """The look that sees it first waits for the next, in case that it was half of it."""
    file = tmp_path / "janitor.yaml"
    file.write_text("rules: [a, b]\n", encoding="utf-8")
    watch, clock = watching(file)
    file.write_text("rules: [a]\n", encoding="utf-8")
    half = looks(watch, clock, 1)
    file.write_text("rules: [a, b, c]\n", encoding="utf-8")

    assert [False, False, True, False] == [*half, *looks(watch, clock, 3)]


def test_it_looks_no_more_often_than_it_should(tmp_path: Path) -> None:
    """Asking costs nothing in between."""
    file = tmp_path / "janitor.yaml"
    file.write_text("a", encoding="utf-8")
    watch, clock = watching(file)
    file.unlink()
    clock.now += LOOK_EVERY - 0.1

    assert [False] * 100 == [watch.changed() for _ in range(100)]


def test_the_swap_of_a_config_map_is_noticed(tmp_path: Path) -> None:
    """Kubernetes swaps the link to a folder of which the file is a part."""
    for number in (1, 2):
        folder = tmp_path / f"..2026_{number}"
        folder.mkdir()
        (folder / "janitor.yaml").write_text(f"number: {number}\n", encoding="utf-8")
    (tmp_path / "..data").symlink_to("..2026_1")
    file = tmp_path / "janitor.yaml"
    file.symlink_to("..data/janitor.yaml")
    watch, clock = watching(file)
    before = looks(watch, clock, 2)
    (tmp_path / "..data_tmp").symlink_to("..2026_2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    assert [False, False, False, True, False] == [*before, *looks(watch, clock, 3)]


def test_a_file_that_goes_and_comes_back_is_news_both_times(tmp_path: Path) -> None:
    """A missing config is a broken one: somebody should hear of it, and of its mending."""
    file = tmp_path / "janitor.yaml"
    file.write_text("a", encoding="utf-8")
    watch, clock = watching(file)
    file.unlink()
    gone = looks(watch, clock, 3)
    file.write_text("a", encoding="utf-8")

    assert [False, True, False, False, True, False] == [*gone, *looks(watch, clock, 3)]


def test_a_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    """Nobody writes into it, and nobody waits for that."""
    file = tmp_path / "janitor.yaml"
    file.write_text("a", encoding="utf-8")
    watch, clock = watching(file)
    file.unlink()
    os.mkfifo(file)

    assert [False, True] == looks(watch, clock, 2)


def test_any_of_several_files_counts(tmp_path: Path) -> None:
    """Also one that is followed only later; what is in it then is known."""
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1", encoding="utf-8")
    watch, clock = watching(first)
    second.write_text("2", encoding="utf-8")
    watch.follow([first, second])
    before = looks(watch, clock, 2)
    second.write_text("3", encoding="utf-8")

    assert [False, False, False, True] == [*before, *looks(watch, clock, 2)]


def test_what_was_refused_is_news_again_after_a_while(tmp_path: Path) -> None:
    """A Secret that the config names may come later, and nobody watches what is not there."""
    file = tmp_path / "janitor.yaml"
    file.write_text("a", encoding="utf-8")
    watch, clock = watching(file)
    watch.refused()
    early = looks(watch, clock, int(TRY_AGAIN_EVERY / LOOK_EVERY) - 1)
    then = looks(watch, clock, 2)
    watch.refused()
    watch.follow([file])

    assert ([False] * len(early), [True, False]) == (early, then)
    assert not any(looks(watch, clock, 100))


def test_what_was_refused_and_is_half_written_waits(tmp_path: Path) -> None:
    """Trying again is no reason to take half of a config."""
    file = tmp_path / "janitor.yaml"
    file.write_text("rules: [a, b]\n", encoding="utf-8")
    watch, clock = watching(file)
    watch.refused()
    clock.now += TRY_AGAIN_EVERY
    file.write_text("rules: [a]\n", encoding="utf-8")

    assert [False, True] == looks(watch, clock, 2)
