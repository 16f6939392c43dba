"""A line that was written at once is the row that was made and encoded, to the letter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st
from support.report_samples import HOSTILE
from support.strategies import ARCHIVE, LAKE, NOW, ZONES, law

from janitor.model import Activity, Decision, Outcome, Reason, Upload, UploadResult, Verdict
from janitor.report.lines import Lines
from janitor.report.rows import upload_row, utc

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=9)
SOME_TEXT = ANY_TEXT.filter(bool)
MAYBE = st.none() | ANY_TEXT | st.sampled_from(["", HOSTILE, '"\\\n\x00\x7f'])
INSTANTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.sampled_from(ZONES))  # noqa: DTZ001  # hypothesis wants its bounds without a zone
UPLOADS = st.builds(
    Upload,
    st.sampled_from([LAKE, ARCHIVE]),
    SOME_TEXT,
    SOME_TEXT,
    st.none() | INSTANTS,
    MAYBE,
    MAYBE,
    MAYBE,
    MAYBE,
)
COUNTS = st.integers(0, 2**70)
ACTIVITIES = st.builds(
    Activity, st.booleans(), st.booleans(), COUNTS, st.none() | COUNTS, st.none() | INSTANTS, MAYBE
)
RESULTS = st.builds(
    UploadResult,
    st.builds(
        Decision,
        UPLOADS,
        st.sampled_from(Verdict),
        st.sampled_from(Reason),
        SOME_TEXT,
        st.none() | INSTANTS,
        st.none() | ACTIVITIES,
    ),
    st.none() | st.sampled_from(Outcome),
    MAYBE,
    COUNTS,
)


@law
@given(st.lists(RESULTS, min_size=1, max_size=3), st.none() | INSTANTS)
def test_a_line_is_the_encoded_row(results: list[UploadResult], started: datetime | None) -> None:
    """Whatever its texts hold, and however little is known."""
    lines = Lines(started)

    assert [json.dumps(upload_row(result, started)) for result in results] == [
        lines.line(result) for result in results
    ]


@law
@given(INSTANTS)
@example(NOW - timedelta(microseconds=1))
def test_an_instant_is_written_as_iso_8601_says(moment: datetime) -> None:
    """In UTC, to the millisecond, and never later than it was."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")

    assert text.removesuffix("+00:00") + "Z" == utc(moment)
