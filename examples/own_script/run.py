"""Which degree of polynomial fits the measurements best? Any training script works with the same four classes."""

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import mnist_tracking as mt

job = mt.JobSpec(
    entry_point="train.py",
    source_dir=Path(__file__).parent,
    metrics={"train:rmse": r"train rmse=(\S+?);", "validation:rmse": r"validation rmse=(\S+?);"},
    objective=mt.Objective("validation:rmse", goal="minimize"),
)
workspace = mt.Workspace.from_env()
runner = mt.ExperimentRunner(workspace, "polynomials", description="Which degree?", job=job)

with TemporaryDirectory() as folder:
    x = np.linspace(-1, 1, 60)
    y = np.sin(4 * x) + np.random.default_rng(1).normal(0, 0.2, x.shape)
    data = Path(folder, "measurements.csv")
    np.savetxt(data, np.column_stack([x, y]), delimiter=",")
    fingerprint = hashlib.sha256(data.read_bytes()).hexdigest()
    runner.upload_dataset(folder, fingerprint=fingerprint, parameters={"rows": len(x)})

leaderboard = mt.HyperparameterSweep(runner, {"degree": [1, 3, 5, 20]}, max_parallel=2).run()
print(leaderboard)
print(mt.LineageTracer(workspace).trace(leaderboard.best))

with mt.BestModelDeployer(workspace).deploy(leaderboard) as endpoint:
    print(endpoint.predict(np.array([-0.5, 0.0, 0.5])))

print(runner.cleanup())
workspace.close()
