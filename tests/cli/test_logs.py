"""The command line of those who may not read the logs of jobs."""

import json
from pathlib import Path

import pytest
from tests.support.late import command_line, late_account
from tests.support.toy_job import TOY

from mnist_tracking.embedded import Fault, Lag

DENIED = Fault("AccessDeniedException", service="logs", times=None)


def test_the_command_line_of_who_may_not_read_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with late_account(tmp_path / "home", Lag()) as (engine, workspace, _):
        engine.inject(DENIED)
        ask = command_line(monkeypatch, engine, workspace)
        script = ["train.py", "--source-dir", str(TOY), "-e", "lines", "--metric", "score=score=(.*?);", "--name"]
        with pytest.warns(UserWarning, match="cannot be read") as told:
            trained = ask("run", *script, "good", "--format", "json")
        failed = ask("run", *script, "bad", "--param", "behaviour=raise")  # without another warning
        logs = ask("logs", "good")

    assert (trained.exit_code, json.loads(trained.stdout)["metrics"]["score"]["last"]) == (0, 1.75)
    assert failed.exit_code == 1
    assert "the data are upside down" in failed.output
    assert (logs.exit_code, logs.stdout) == (1, "")
    assert "DescribeLogStreams failed (AccessDeniedException)" in logs.output
    assert len(told) == 1
