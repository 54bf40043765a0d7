"""
Strategies on the real MNIST, each with the same core-seconds; and a sweep against Optuna's own loop over subprocesses.

    python -m benchmarks.search_mnist --data-dir DIR [--seeds 5] [--images 12000] [--epochs 3] [--target 98]

For each seed, a grid of 24 points is trained first. The core-seconds that its trials have taken, imports included, are
the budget of every other strategy: random, TPE and GP, each without a pruner and with ASHA. A strategy gets another
trial for as long as it has not used the budget. TPE and GP choose their first 10 points at random. Printed are the best
validation accuracy, and the core-seconds until the target was reached.

The full study, for 99.0 % on all images, takes several hours on one core:

    python -m benchmarks.search_mnist --data-dir DIR --images 55000 --epochs 4 --target 99

Then as many trials are trained by a sweep and by Optuna's ``study.optimize`` with the same sampler and seed, whose
objective runs the same script in a subprocess, in turns: wall and processor time, and their ratios.
"""

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from mnist_tracking import (
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    Objective,
    Workspace,
    integers,
    loguniform,
    uniform,
)
from mnist_tracking.reading.trial import Trial

SCRIPT = Path(__file__).with_name("search_trial.py")
METRICS = {"accuracy": r"accuracy=(\S+?);", "core_s": r"core_s=(\S+?);"}
OBJECTIVE = Objective("accuracy", statistic="max")
GRID = {"lr": [0.003, 0.01, 0.03, 0.1], "momentum": [0.5, 0.9], "hidden_channels": [2, 4, 8]}
SPACE = {"lr": loguniform(0.001, 0.3), "momentum": uniform(0.0, 0.95), "hidden_channels": integers(2, 8)}
STRATEGIES: Mapping[str, dict[str, Any]] = {
    **{name: {"strategy": name} for name in ("random", "tpe", "gp")},
    **{f"{name} + asha": {"strategy": name, "pruner": "asha"} for name in ("random", "tpe", "gp")},
}
MOST_TRIALS = 200


@attrs.frozen
class Found:
    """What a strategy has found: its best accuracy, what that took, and how many trials."""

    accuracy: float
    core_s: float
    core_s_to_target: float | None
    trials: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_DATA_DIR") or None)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=12_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--target", type=float, default=98.0)
    parser.add_argument("--rounds", type=int, default=3, help="of a sweep and of Optuna's loop")
    options = parser.parse_args()
    if options.data_dir is None:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    fixed = {"data": str(options.data_dir.resolve()), "images": options.images, "epochs": options.epochs}
    with tempfile.TemporaryDirectory() as folder, Workspace.embedded(Path(folder, "home")) as workspace:
        if options.seeds:
            compare(workspace, fixed, seeds=options.seeds, target=options.target)
        if options.rounds:
            against_optuna(workspace, fixed, rounds=options.rounds)


# --- strategies ---


def compare(workspace: Workspace, fixed: Mapping[str, Any], *, seeds: int, target: float) -> None:
    found: dict[str, list[Found]] = {"grid": [], **{name: [] for name in STRATEGIES}}
    for seed in range(1, seeds + 1):
        runner = make_runner(workspace, f"grid-{seed}", {**fixed, "seed": seed})
        found["grid"].append(summary(HyperparameterSweep(runner, GRID).run(progress=False), target))
        for name, how in STRATEGIES.items():
            budget = found["grid"][-1].core_s
            found[name].append(search(workspace, f"{name}-{seed}", {**fixed, "seed": seed}, how, budget, target))
        print(
            f"seed {seed}: " + ", ".join(f"{name} {each[-1].accuracy:.2f}" for name, each in found.items()), flush=True
        )
    print(f"{'strategy':>14} {'n':>2} {'accuracy, %':>16} {'trials':>7} {'core-s':>7} core-s to {target} %")
    for name, each in found.items():
        print(row(name, each), flush=True)


def make_runner(workspace: Workspace, name: str, fixed: Mapping[str, Any]) -> ExperimentRunner:
    job = JobSpec(
        entry_point=SCRIPT,
        metrics=METRICS,
        objective=OBJECTIVE,
        hyperparameters=dict(fixed),
        environment={"OMP_NUM_THREADS": "1"},
    )
    return ExperimentRunner(workspace, re.sub(r"\W+", "-", name), job=job)


def search(
    workspace: Workspace, name: str, fixed: Mapping[str, Any], how: Mapping[str, Any], budget: float, target: float
) -> Found:
    """Train one trial more, until the budget is used."""
    runner = make_runner(workspace, name, fixed)
    for trials in range(1, MOST_TRIALS + 1):
        sweep = HyperparameterSweep(
            runner, SPACE, **how, max_trials=trials, seed=int(fixed["seed"]), name=f"{runner.name}-sweep"
        )
        found = summary(sweep.run(progress=False), target)
        if found.core_s >= budget:
            return found
    raise SystemExit(f"{name}: {MOST_TRIALS} trials did not use the budget of {budget:.0f} core-seconds.")


def summary(board: Any, target: float) -> Found:
    """Return what the trials of a board have found, in order of creation."""
    best, spent, reached = 0.0, 0.0, None
    trials: list[Trial] = sorted(board, key=lambda trial: trial.created)
    for trial in trials:
        if trial.status not in ("Completed", "Stopped"):
            raise SystemExit(f"{trial.name} is {trial.status}: {trial.failure_reason}")
        spent += trial.metrics["core_s"].max if "core_s" in trial.metrics else 0.0
        best = max(best, trial.metrics["accuracy"].max if "accuracy" in trial.metrics else 0.0)
        reached = spent if reached is None and best >= target else reached
    return Found(best, spent, reached, len(trials))


def row(name: str, each: list[Found]) -> str:
    accuracies, reached = [found.accuracy for found in each], [found.core_s_to_target for found in each]
    spread = statistics.stdev(accuracies) if len(each) > 1 else 0.0
    times = sorted(seconds for seconds in reached if seconds is not None)
    shown = f"median {statistics.median(times):.0f} in {len(times)} of {len(each)}" if times else "never"
    return (
        f"{name:>14} {len(each):>2} {statistics.mean(accuracies):8.2f} ± {spread:.2f} "
        f"{statistics.mean(found.trials for found in each):>10.1f} "
        f"{statistics.mean(found.core_s for found in each):>7.0f} {shown}"
    )


# --- Optuna ---


def against_optuna(workspace: Workspace, fixed: Mapping[str, Any], *, rounds: int, trials: int = 6) -> None:
    """Train as many trials by a sweep and by ``study.optimize``, in turns, and print both times."""
    runner = make_runner(workspace, "against-optuna", fixed)
    times: dict[str, list[tuple[float, float]]] = {"sweep": [], "optuna": []}
    for number in range(rounds):
        sweep = HyperparameterSweep(
            runner, SPACE, strategy="tpe", max_trials=trials, seed=number, name=f"round-{number}"
        )
        times["sweep"].append(timed(lambda: sweep.run(progress=False)))  # noqa: B023 - called at once
        times["optuna"].append(timed(lambda: optimize(fixed, trials, seed=number)))  # noqa: B023 - called at once
    for place, what in enumerate(("wall", "processor")):
        ours, theirs = ([pair[place] for pair in times[side]] for side in ("sweep", "optuna"))
        ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        print(
            f"{trials} trials, {what} time: {statistics.median(ours):.1f} s, by study.optimize "
            f"{statistics.median(theirs):.1f} s, ratio {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f} in {rounds} rounds)"
        )


def optimize(fixed: Mapping[str, Any], trials: int, *, seed: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        point: dict[str, Any] = {
            "lr": trial.suggest_float("lr", 0.001, 0.3, log=True),
            "momentum": trial.suggest_float("momentum", 0.0, 0.95),
            "hidden_channels": trial.suggest_int("hidden_channels", 2, 8),
        }
        arguments = [text for name, value in {**fixed, **point}.items() for text in (f"--{name}", str(value))]
        done = subprocess.run([sys.executable, str(SCRIPT), *arguments], stdout=subprocess.PIPE, text=True, check=True)
        return max(map(float, re.findall(METRICS["accuracy"], done.stdout)))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=trials)


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Return the wall time and the processor time of a function, that of its ended children included."""

    def processor() -> float:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return sum(each.ru_utime + each.ru_stime for each in used)

    wall, cpu = time.perf_counter(), processor()
    act()
    time.sleep(0.2)  # for the last supervisor to end
    return time.perf_counter() - wall - 0.2, processor() - cpu


if __name__ == "__main__":
    main()
