"""Progress of trials: a live table on a terminal, lines elsewhere, nothing in a pipe unless asked for."""

import re
import textwrap
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbclient import NotebookClient
from rich.console import Console
from tests.support.trials import a_trial, tell

from mnist_tracking import ExperimentRunner, HyperparameterSweep, JobSpec, Workspace, mnist_job
from mnist_tracking.errors import ConfigError
from mnist_tracking.experiments.observers import Observers
from mnist_tracking.experiments.progress import Planned, Progress
from mnist_tracking.types import MetricPoint

LOG = (
    "Train Epoch: 1 [64/128 (50%)], Train Loss: 2.25;",
    "Train Epoch: 1 [128/128 (100%)], Train Loss: 1.5;",
    "Validation Average loss: 0.5, Validation Accuracy: 87.125%;",
)
JOB = mnist_job(epochs=1)
POINTS = [{"hidden_channels": channels} for channels in (2, 5)]


def watch(workspace: Workspace, *, terminal: bool, kind: str = "xterm", names: tuple[str, ...] = ()) -> str:
    """What was shown of one of two trials."""
    told = StringIO()
    console = Console(file=told, force_terminal=terminal, width=120, color_system=None, _environ={"TERM": kind})
    with Progress(console, JOB, Planned(POINTS, names)) as view:
        view.started("demo-trial-2", "job", {"hidden_channels": 2, "epochs": 1})
        view.status_changed("demo-trial-2", "Downloading")
        tell(view, JOB, "demo-trial-2", *LOG)
        view.status_changed("demo-trial-2", "Completed")
        view.ended(a_trial(workspace, 2))
    return told.getvalue()


def test_a_terminal_shows_a_row_for_every_trial(workspace: Workspace) -> None:
    last = [" ".join(line.split()) for line in watch(workspace, terminal=True, names=("hidden_channels",)).splitlines()]

    assert last[-5].startswith("demo-trial-2 2 completed 1/1 100% 87.125 1.5 0.5 ")
    assert last[-4] == "5 waiting"
    assert last[-3] == "1 not trained, 1 completed"
    assert last[-2] == "best validation:accuracy 87.125 in trial demo-trial-2: hidden_channels=2"
    assert last[0].endswith("Each job runs for at most 1 h.")


@pytest.mark.parametrize(("terminal", "kind"), [(False, "xterm"), (True, "dumb")])
def test_elsewhere_there_is_a_line_for_every_event(workspace: Workspace, terminal: bool, kind: str) -> None:
    *lines, summary = watch(workspace, terminal=terminal, kind=kind, names=("hidden_channels",)).splitlines()

    assert lines[:3] == [
        "1/2 hidden_channels=2: training as trial demo-trial-2, for at most 1 h",
        "1/2 hidden_channels=2: downloading",
        "1/2 hidden_channels=2: epoch 1 of 1, validation:accuracy 87.125",
    ]
    assert lines[3].startswith("1/2 hidden_channels=2: completed after ")
    assert lines[3].endswith(", validation:accuracy 87.125")
    assert summary == (
        "2 trials: 1 not trained, 1 completed; best validation:accuracy 87.125 in trial demo-trial-2: hidden_channels=2"
    )


def test_a_notebooks_table_is_replaced(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.instance(history_length=0, history_load_length=0)
    try:
        with capture_output() as shown:
            view = Progress(Console(force_jupyter=True, file=StringIO()), JOB, Planned(POINTS))
            with view:
                view.started("demo-trial-2", "job", {"hidden_channels": 2, "epochs": 1})
                view.ended(a_trial(workspace, 2))
    finally:
        InteractiveShell.clear_instance()
    first, *others = shown.outputs

    assert "waiting" in first.data["text/plain"]
    assert all("Each job runs for at most 1 h." in first.data[kind] for kind in ("text/plain", "text/html"))
    assert "completed" in others[-1].data["text/plain"]
    assert "completed" in others[-1].data["text/html"]


def test_a_trial_without_swept_hyperparameters_goes_by_its_name(workspace: Workspace) -> None:
    assert "1/2 demo-trial-2: training as trial demo-trial-2, for at most 1 h" in watch(workspace, terminal=False)
    assert re.search("\ndemo-trial-2 +completed", watch(workspace, terminal=True))


def test_a_script_of_any_kind_is_shown() -> None:
    """No epochs, values that are not numbers, and more trials than were announced."""
    told = StringIO()
    job = JobSpec(__file__, metrics={"loss": "loss=(.*)"})
    view = Progress(Console(file=told, width=120), job, Planned([{}]))
    for trial in ("a", "b"):
        view.started(trial, "job", {"lr": 0.1})
        tell(view, job, trial, "loss=unknown", "loss=0.25")

    assert told.getvalue() == "a: training as trial a, for at most 24 h\n2/2 b: training as trial b, for at most 24 h\n"
    with Progress(Console(file=told, force_terminal=True, width=120, color_system=None), job, Planned([{}])) as live:
        live.started("a", "job", {})
        tell(live, job, "a", "loss=0.25")
    assert "0.25" in told.getvalue()


@pytest.mark.parametrize(("progress", "is_shown"), [(None, False), (False, False), (True, True)])
def test_a_pipe_is_left_alone_unless_progress_is_asked_for(
    workspace: Workspace,
    toy_job: Callable[..., JobSpec],
    capfd: pytest.CaptureFixture[str],
    progress: bool | None,
    is_shown: bool,
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    runner.run({"slope": 1.0}, name="steep", progress=progress)
    HyperparameterSweep(runner, {"slope": [1.0, 2.0]}, max_parallel=2).run(progress=progress)
    out, said = capfd.readouterr()

    assert out == ""
    assert ("steep: training as trial steep, for at most 24 h" in said, "2/2 slope=" in said) == (is_shown, is_shown)
    assert bool(said) == is_shown


def test_a_sweep_that_continues_shows_what_has_ended_before(
    workspace: Workspace, toy_job: Callable[..., JobSpec], capfd: pytest.CaptureFixture[str]
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    for most in (2, 3):
        sweep = HyperparameterSweep(runner, {"slope": [1.0, 2.0, 3.0]}, name="night", max_trials=most)
        sweep.run(progress=most == 3)
    started, *_, summary = capfd.readouterr().err.splitlines()

    assert started.startswith("3/3 slope=3: training as trial night-")
    assert summary.startswith("3 trials: 3 completed")


def test_an_observer_gets_the_secondary_status(workspace: Workspace, toy_job: Callable[..., JobSpec]) -> None:
    seen: list[tuple[str, ...]] = []

    class Watching:
        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: seen.append((name, *map(str, arguments)))

    ExperimentRunner(workspace, "lines", job=toy_job()).run(name="steep", observer=Watching())

    assert ("status_changed", "steep", "Completed") in seen
    assert seen[0][:2] == ("started", "steep")
    assert seen[-1][0] == "ended"


def test_trials_that_were_not_announced_are_counted_against_the_total(workspace: Workspace) -> None:
    told = StringIO()
    with Progress(Console(file=told, width=120), JOB, Planned(names=["lr", "momentum"], total=12)) as view:
        view.started("demo-trial-2", "job", {"lr": 0.1, "epochs": 1})
        view.pruned("demo-trial-2", "pruned at step 3 by asha")
        view.ended(a_trial(workspace, 2, "Stopped", stop_reason="pruned at step 3 by asha"))

    started, ended, summary = told.getvalue().splitlines()
    assert started == " 1/12 lr=0.1: training as trial demo-trial-2, for at most 1 h"
    assert re.fullmatch(r" 1/12 lr=0.1: pruned at step 3 by asha after \d.\d s, validation:accuracy 87.125", ended)
    assert summary == "12 trials: 11 not trained, 1 pruned"


def test_many_trials_have_a_line_for_each_start_and_end_and_some_summaries(workspace: Workspace) -> None:
    told = StringIO()
    with Progress(Console(file=told, width=120), JOB, Planned(total=1_000)) as view:
        for channels in range(1_000):
            name = f"demo-trial-{channels}"
            view.started(name, "job", {})
            view.status_changed(name, "Downloading")
            tell(view, JOB, name, *LOG)
            view.ended(a_trial(workspace, channels, accuracy=channels / 10))

    lines = told.getvalue().splitlines()
    assert len(lines) == 2 * 1_000 + 11
    assert (
        lines[-1] == lines[-2] == "1000 trials: 1000 completed; best validation:accuracy 99.9 in trial demo-trial-999"
    )
    assert lines[-3].endswith("validation:accuracy 99.9, the best so far")


def test_a_long_training_is_few_lines(workspace: Workspace) -> None:
    told = StringIO()
    with Progress(Console(file=told, width=120), JOB, Planned()) as view:
        view.started("demo-trial-2", "job", {})
        lines = ("Train Epoch: {0} [9/9 (100%)];", "Validation Accuracy: 90%;")
        tell(view, JOB, "demo-trial-2", *(line.format(epoch) for epoch in range(1, 301) for line in lines))

    epochs = [int(line.split()[2].rstrip(",")) for line in told.getvalue().splitlines() if "epoch" in line]
    assert epochs == [*range(1, 11), *range(20, 101, 10), 200, 300]


def test_plain_lines_can_be_asked_for_on_a_terminal(workspace: Workspace) -> None:
    told = StringIO()
    with Progress(Console(file=told, force_terminal=True, width=120), JOB, Planned(POINTS), plain=True) as view:
        view.started("demo-trial-2", "job", {"hidden_channels": 2})

    assert told.getvalue().splitlines()[0] == "1/2 demo-trial-2: training as trial demo-trial-2, for at most 1 h"


def test_a_way_to_show_progress_that_there_is_not_is_rejected_before_anything_starts(
    workspace: Workspace, toy_job: Callable[..., JobSpec]
) -> None:
    runner = ExperimentRunner(workspace, "lines", job=toy_job())
    for run in (runner.run, HyperparameterSweep(runner, {"slope": [1.0, 2.0]}).run):
        with pytest.raises(ConfigError, match="progress='lines'; expected True, False, None or 'plain'"):
            run(progress="lines")  # type: ignore[arg-type]

    assert list(workspace.trials("lines")) == []


def test_optional_methods_of_an_observer_are_called_where_it_has_them(workspace: Workspace) -> None:
    seen: list[tuple[object, ...]] = []

    class Quiet:
        def started(self, *event: object) -> None: ...

        def logged(self, *event: object) -> None: ...

        def ended(self, *event: object) -> None: ...

    class Curious(Quiet):
        def reported(self, *event: object) -> None:
            seen.append(event)

        pruned = found = reported

    observers = Observers(Quiet(), None, Observers(Curious()))
    point = MetricPoint("score", 1, 0.5, None)
    observers.reported("digits-0", point)
    observers.pruned("digits-0", "pruned at step 3 by asha")
    trial = a_trial(workspace, 2)
    observers.found(trial)

    assert seen == [("digits-0", point), ("digits-0", "pruned at step 3 by asha"), (trial,)]


NOTEBOOK = (
    """
    import mnist_tracking as mt
    from pathlib import Path

    code = "import sys, time; time.sleep(0.7); print('loss=' + sys.argv[2]); sys.exit(float(sys.argv[2]) > 5)"
    Path("train.py").write_text(code)
    job = mt.JobSpec("train.py", metrics={"loss": "loss=(.*)"})
    runner = mt.ExperimentRunner(mt.Workspace.embedded(), "lines", job=job)
    """,
    'runner.run({"lr": 0.5}, name="steep")',
    'mt.HyperparameterSweep(runner, {"lr": [0.5, 9.0]}, max_parallel=2).run()',
    'runner.run({"lr": 9.0}, name="broken")',
)


def test_a_notebook_shows_and_keeps_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is replaced while the trials train, without ipywidgets; an error afterwards is an ordinary traceback."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(code)) for code in NOTEBOOK]
    resources = {"metadata": {"path": str(tmp_path)}}
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120, allow_errors=True, resources=resources)

    done = client.execute()

    kinds = [[output.output_type for output in cell.outputs] for cell in done.cells]
    assert kinds == [
        [],
        ["display_data", "execute_result"],
        ["display_data", "execute_result"],
        ["display_data", "error"],
    ]
    one, swept, broken = ([*cell.outputs[0].data["text/plain"].splitlines()] for cell in done.cells[1:])
    assert one[0] == broken[0] == "Each job runs for at most 24 h."
    assert re.fullmatch(r"Sweep lines-\S+\. Each job runs for at most 24 h\.", swept[0])
    assert [one[1].split(), one[2].split()[:3]] == [
        ["trial", "status", "loss", "seconds"],
        ["steep", "completed", "0.5"],
    ]
    assert swept[1] == "1 completed, 1 failed"
    assert sorted(line.split()[1:4] for line in swept[3:]) == [["0.5", "completed", "0.5"], ["9", "failed", "9"]]
    assert broken[2].split()[:2] == ["broken", "failed"]
    assert "<td>steep</td>" in done.cells[1].outputs[0].data["text/html"]
    assert "at most 24 h. · 1 completed, 1 failed</p>" in done.cells[2].outputs[0].data["text/html"]
    assert done.cells[3].outputs[1].ename == "JobFailedError"
