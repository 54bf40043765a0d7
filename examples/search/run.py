"""Search hyperparameters: TPE chooses them, ASHA stops trials that are not promising, another program continues."""

from pathlib import Path

import mnist_tracking as mt

workspace = mt.Workspace.from_env()
job = mt.JobSpec(
    entry_point="train.py",
    source_dir=Path(__file__).parent,
    metrics={"validation:loss": r"validation loss=(\S+?);"},
    objective=mt.Objective("validation:loss", goal="minimize"),
    max_run_s=600,
)
runner = mt.ExperimentRunner(workspace, "flowers", job=job)
space = {"learning_rate": mt.loguniform(1e-5, 1.0), "momentum": mt.uniform(0.0, 0.95)}

sweep = mt.HyperparameterSweep(runner, space, strategy="tpe", pruner="asha", max_trials=8, max_parallel=2, name="night")
sweep.run()
for trial in sweep.board:
    print(trial.name, trial.status, trial.stop_reason)

# Another program, on any machine, loads the sweep by its name; to train more, it also needs the job.
again = mt.HyperparameterSweep.load(workspace, "flowers", "night", job=job, max_trials=10, max_parallel=2)
again.run()
print(len(again.board), "trials, the best with", again.board.best.hyperparameters)

# Is the best really better, or lucky? Three seeds for each of the best two.
points = [trial.hyperparameters for trial in again.board[:2]]
repeated = mt.HyperparameterSweep(runner, points, repeats=3, max_parallel=2)
repeated.run()
print(repeated.board.groups())
print(runner.cleanup())
workspace.close()
