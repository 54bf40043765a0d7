"""Run this later, in a new process: wait for the jobs, evaluate each model, and compare the two experiments."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import pandas as pd

import mnist_tracking as mt

workspace = mt.Workspace.from_env(**json.loads(Path(__file__).with_name("settings.json").read_text()))
experiments = ["cells-forest", "cells-boosting"]

s3 = workspace.client("s3")
try:
    held_out = pd.read_csv(s3.get_object(Bucket="company-data", Key="cells/validation/validation.csv")["Body"])
except (s3.exceptions.NoSuchBucket, s3.exceptions.NoSuchKey):
    raise mt.NotFoundError("object", "s3://company-data/cells/validation/validation.csv") from None

for trial in workspace.trials(experiments):
    trained = workspace.submitted(trial.name).wait()  # waits for the job, whichever process started it
    if trained.status != "Completed":
        print(f"{trained.name}: {trained.status}. {trained.failure_reason}")
        continue
    with TemporaryDirectory() as folder:
        trained.download(folder, model_only=True)
        model = joblib.load(Path(folder, "model", "model.joblib"))
    with mt.ExperimentRunner(workspace, trained.experiment).step("Evaluation", trial=trained) as step:
        step.log_input("model", str(trained.model_uri))
        step.log_confusion_matrix(held_out["target"], model.predict(held_out.drop(columns="target")))

leaderboard = mt.Leaderboard.load(workspace, experiments, objective="accuracy")
print(leaderboard)
print(workspace.compare(leaderboard[0], leaderboard[-1]))
