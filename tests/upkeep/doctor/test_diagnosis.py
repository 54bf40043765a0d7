"""A diagnosis, as it is read."""

import pandas as pd

from mnist_tracking.upkeep.doctor import Check, Diagnosis

DIAGNOSIS = Diagnosis(
    (
        Check("role", "ok", "arn:aws:iam::000000000000:role/with-a-name-that-is-longer-than-a-line-of-eighty-columns"),
        Check("permissions", "warning", "IAM denies " + ", ".join(f"s3:Action{n}" for n in range(20)), "Allow <them>."),
    )
)


def test_a_diagnosis_reads_well_in_80_columns() -> None:
    """A word that is longer than a line is left whole, so that it can be copied."""
    lines = str(DIAGNOSIS).splitlines()

    assert lines[0].startswith("ok       role         arn:aws:iam")
    assert max(map(len, lines[1:])) <= 80
    assert lines[-1].split() == ["Allow", "<them>."]
    assert repr(DIAGNOSIS) == "<Diagnosis: 1 ok, 1 warning>"


def test_a_diagnosis_is_a_frame_and_a_table_in_a_notebook() -> None:
    frame = DIAGNOSIS.dataframe()

    assert list(frame.columns) == ["name", "outcome", "detail", "remedy"]
    assert isinstance(frame, pd.DataFrame)
    assert "Allow &lt;them&gt;." in DIAGNOSIS._repr_html_()
    assert Diagnosis(()).dataframe().empty
