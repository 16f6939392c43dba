"""The examples of the vendors' own pages, as populations."""

from __future__ import annotations

from support.harness import HARNESSES, Ear, at, sweeper

from janitor.model import Outcome, Reason
from janitor.sandbox import Options, Sandbox, SandboxClock

GLACIER_IDS = {
    "xsQdFIRsfJr20CW2AbZBKpRZAFTZSJIMtL2hYf8mvp8dM0m4RUzlaqoEye6g3h3ecqB_zqwB7zLDMeSWhwo65re4C4Ev": (  # noqa: E501  # an id is as long as it is
        "archive 1",
        "2012-03-19T23:20:59.130Z",
    ),
    "nPyGOnyFcx67qqX7E-0tSGiRi88hHMOwOxR-_jNyM6RjVMFfV29lFqZ3rNsSaWBugg6OP92pRtufeHdQH7ClIpSF6uJc": (  # noqa: E501  # an id is as long as it is
        "archive 2",
        "2012-04-01T15:00:00.000Z",
    ),
    "qt-RBst_7yO8gVIonIBsAxr2t-db0pE4s8MNeGjKjGdNpuU-cdSAcqG62guwV9r5jh5mLyFPzFEitTpNE7iQfHiu1XoV": (  # noqa: E501  # an id is as long as it is
        "archive 3",
        "2012-03-20T17:03:43.221Z",
    ),
}


def test_the_three_uploads_of_the_glacier_guide() -> None:
    """Three uploads of 2012, and a list that ends with the string "null": all are stale."""
    harness = HARNESSES["glacier"]
    options = Options(glacier_last_marker="null")
    with Sandbox.start(options=options) as sandbox:
        harness.add_container(sandbox, "examplevault")
        for name, (description, date) in GLACIER_IDS.items():
            sandbox.glacier.add_upload(
                "examplevault", initiated=at(date), description=description, upload_id=name
            )
        ear = Ear()
        target = harness.target(sandbox, "examplevault", page_size=None)
        done = sweeper(sandbox, target, ear=ear).sweep()
        lists = sandbox.journal.entries("glacier.list_uploads")

    assert dict.fromkeys(GLACIER_IDS, Outcome.ABORTED) == ear.outcomes()
    assert at("2012-03-19T23:20:59.130Z") == done.results[0].oldest_initiated
    assert {description for description, _ in GLACIER_IDS.values()} == {
        event.result.decision.upload.description for event in ear.uploads().values()
    }
    assert 1 == len(lists)


def test_the_movies_of_the_qingstor_guide() -> None:
    """Prefix `Movies/` and limit 6: the stale movie goes, and nothing outside is even seen."""
    harness = HARNESSES["qingstor"]
    clock = SandboxClock(at("2016-12-27T00:00:00Z"))
    with Sandbox.start(clock=clock, options=Options(check_skew=False)) as sandbox:
        harness.add_container(sandbox, "your-bucket-name")
        movies = {
            "Movies/Star-Wars-2015.mp4": "2016-12-15T16:02:05.000Z",
            "Movies/Alien-1979.mp4": "2016-12-25T16:02:05.000Z",
        }
        ids = {
            key: sandbox.qingstor.add_upload("your-bucket-name", key, initiated=at(date))
            for key, date in movies.items()
        }
        music = sandbox.qingstor.add_upload(
            "your-bucket-name", "Music/1", initiated=at("2016-01-01T00:00:00Z")
        )
        ear = Ear()
        target = harness.target(sandbox, "your-bucket-name", prefix="Movies/", page_size=6)
        sweeper(sandbox, target, ear=ear).sweep()
        (listed, *_) = sandbox.journal.entries("qingstor.list_uploads")
        left = sandbox.qingstor.upload_ids("your-bucket-name")

    assert {
        ids["Movies/Star-Wars-2015.mp4"]: Reason.STALE,
        ids["Movies/Alien-1979.mp4"]: Reason.YOUNG,
    } == ear.reasons()
    assert sorted([ids["Movies/Alien-1979.mp4"], music]) == sorted(left)
    assert "limit=6" in listed.target
    assert "prefix=Movies/" in listed.target
