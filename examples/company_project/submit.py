"""Submit four jobs in two experiments, and exit."""

import json
from pathlib import Path

import mnist_tracking as mt

here = Path(__file__).parent
workspace = mt.Workspace.from_env(**json.loads((here / "settings.json").read_text()))  # role, key, network, tags

channels = {name: f"s3://company-data/cells/{name}" for name in ("train", "validation")}
job = mt.JobSpec(entry_point=here / "train.py", inputs=channels, metrics={"accuracy": r"held-out cells: (\S+)"})
for model in ("forest", "boosting"):
    runner = mt.ExperimentRunner(workspace, f"cells-{model}", job=job)
    for trees in (2, 50):
        print(runner.submit({"model": model, "trees": trees}))
