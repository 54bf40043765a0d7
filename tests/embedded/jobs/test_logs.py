"""The output of a script, line by line, while it runs."""

import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.training_account import TrainingAccount

GROUP = "/aws/sagemaker/TrainingJobs"
STEPS = """
import os, threading
for step in range(3):
    print("step", step, flush=True)
    while not os.path.exists(os.environ["GO"] + str(step)): threading.Event().wait(0.005)
"""


def submit_steps(account: TrainingAccount, folder: Path) -> None:
    """Start a job that takes a step for each file in a folder outside the job's own folders."""
    account.submit(STEPS, Environment={"GO": f"{folder}/"})


def stream(account: TrainingAccount) -> str:
    found = account.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="job/")["logStreams"]
    return str(found[0]["logStreamName"])


def read(account: TrainingAccount, **more: Any) -> list[str]:
    page = account.logs.get_log_events(logGroupName=GROUP, logStreamName=stream(account), startFromHead=True, **more)
    return [event["message"] for event in page["events"]]


def test_log_can_be_followed_while_the_script_runs(account: TrainingAccount, tmp_path: Path) -> None:
    submit_steps(account, tmp_path)
    for step in range(3):
        account.follow(f"step {step}")
        assert read(account) == [f"step {number}" for number in range(step + 1)]
        (tmp_path / str(step)).touch()

    assert account.wait()["TrainingJobStatus"] == "Completed"


def test_two_can_follow_one_job(account: TrainingAccount, tmp_path: Path) -> None:
    submit_steps(account, tmp_path)
    seen: list[list[str]] = []

    def follow() -> None:
        for step in range(3):
            account.follow(f"step {step}")
            (tmp_path / str(step)).touch()
        seen.append(read(account))

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [["step 0", "step 1", "step 2"]] * 2


def test_the_stream_is_named_after_job_and_host(account: TrainingAccount) -> None:
    account.run("print('trained')")

    assert stream(account).startswith("job/algo-1-")


def test_both_streams_are_logged(account: TrainingAccount) -> None:
    account.run("import sys\nprint('out')\nprint('err', file=sys.stderr)")

    assert sorted(read(account)) == ["err", "out"]


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        (rb"b'a\nb'", ["a", "b"]),
        (rb"b'a\r\nb\r\n'", ["a", "b"]),
        (rb"b'caf\xe9\n'", ["caf\ufffd"]),
        ("'caf\u00e9\\n'.encode()".encode(), ["caf\u00e9"]),
        (rb"b'a\x00b\n'", ["a\0b"]),
        (rb"b'\n\na\n\n'", ["a"]),
    ],
)
def test_any_output_becomes_lines(account: TrainingAccount, printed: bytes, lines: list[str]) -> None:
    """CloudWatch has no empty events, so empty lines are skipped."""
    account.run(f"import os\nos.write(1, {printed.decode()})")

    assert read(account) == lines


def test_many_lines_keep_their_order(account: TrainingAccount) -> None:
    account.run("print('\\n'.join(map(str, range(30_000))))")

    assert account.log() == list(map(str, range(30_000)))


def test_very_long_line_is_split(account: TrainingAccount) -> None:
    account.run("print('x' * 1_000_000)")

    assert [len(line) for line in account.log()] == [1 << 18, 1 << 18, 1 << 18, 1_000_000 - 3 * (1 << 18)]


def test_script_that_closes_its_output_continues(account: TrainingAccount) -> None:
    job = account.run("import os\nos.close(1)\nos.close(2)\nopen(os.environ['SM_MODEL_DIR'] + '/model', 'w')")

    assert job["TrainingJobStatus"] == "Completed"
    assert account.members("jobs/job/output/model.tar.gz") == {"model": b""}


def test_standard_input_of_a_script_is_empty(account: TrainingAccount) -> None:
    account.run("import sys\nprint(repr(sys.stdin.read()))")

    assert account.log() == ["''"]
