import sqlite3
import statistics
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_tracking.embedded.engine import EmbeddedSageMaker
from mnist_tracking.embedded.store import migrations
from mnist_tracking.embedded.store.metrics import record_metric, sample_deviation

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /data rw - nfs4 server:/export rw
31 30 8:2 / /data/local\\040disk rw shared:5 master:2 - xfs /dev/sdb1 rw
32 22 0:41 / /data/ä rw - cifs //server/share rw
"""


def names(engine: EmbeddedSageMaker) -> set[str]:
    """Names of all experiments."""
    pages = engine.session().client("sagemaker").get_paginator("list_experiments").paginate()
    return {item["ExperimentName"] for page in pages for item in page["ExperimentSummaries"]}


def test_experiments_survive_reopening(tmp_path: Path) -> None:
    """What one engine acknowledged, the next one on the same folder shows."""
    for name in ("first", "second"):
        engine = EmbeddedSageMaker(tmp_path / "home")
        engine.session().client("sagemaker").create_experiment(ExperimentName=name)
        engine.close()

    assert names(EmbeddedSageMaker(tmp_path / "home")) == {"first", "second"}


def test_closed_engine_can_be_used_again(engine: EmbeddedSageMaker) -> None:
    """Closing gives up connections, nothing else."""
    client = engine.session().client("sagemaker")
    client.create_experiment(ExperimentName="digits")
    engine.close()

    assert client.describe_experiment(ExperimentName="digits")["ExperimentName"] == "digits"


def test_threads_write_at_once(engine: EmbeddedSageMaker) -> None:
    """No write is lost or refused when 8 threads share one client."""
    client = engine.session().client("sagemaker")
    expected = {f"digits-{number}" for number in range(64)}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.create_experiment(ExperimentName=name), expected))

    assert names(engine) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_summaries_agree_with_the_statistics_module(values: list[float]) -> None:
    """The running summary is what a pass over all values gives; the deviation is the sample's."""
    script = resources.files(migrations).joinpath("0001_experiments.sql").read_text()
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.executescript(script)
    for value in values:
        record_metric(connection, 1, "loss", value, timestamp=0.0)
    row = connection.execute("SELECT * FROM metric_summaries").fetchone()
    connection.close()

    assert (row["count"], row["minimum"], row["maximum"], row["last"]) == (
        len(values),
        min(values),
        max(values),
        values[-1],
    )
    assert row["mean"] == pytest.approx(statistics.fmean(values), rel=1e-9, abs=1e-6)
    expected = statistics.stdev(values) if len(values) > 1 else 0.0
    assert sample_deviation(row["count"], row["squares"]) == pytest.approx(expected, rel=1e-6, abs=1e-3)
