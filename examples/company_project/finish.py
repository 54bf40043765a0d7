"""Later, in a new process: wait for the jobs, evaluate each model, and compare the two experiments."""

import io
import json
import tarfile
from pathlib import Path

import joblib
import pandas as pd

import mnist_tracking as mt

workspace = mt.Workspace.from_env(**json.loads(Path(__file__).with_name("settings.json").read_text()))
experiments = ["cells-forest", "cells-boosting"]


def read(uri: str) -> io.BytesIO:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    return io.BytesIO(workspace.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())


rows = pd.read_csv(read("s3://company-data/cells/validation/validation.csv"))
for started in workspace.trials(experiments):
    trial = workspace.submitted(started.name).result()  # waits for the job, whoever started it
    with mt.ExperimentRunner(workspace, trial.experiment).step("Evaluation", trial=trial) as step:
        step.log_input("model", str(trial.model_uri))
        with tarfile.open(fileobj=read(str(trial.model_uri))) as archive:
            model = joblib.load(archive.extractfile("model.joblib"))
        step.log_confusion_matrix(rows["target"], model.predict(rows.drop(columns="target")))

leaderboard = mt.Leaderboard.load(workspace, experiments, objective="accuracy")
print(leaderboard)
print(workspace.compare(leaderboard[0], leaderboard[-1]))
