"""Two experiments on the same data: search both, rank their trials together, and compare the first with the last."""

from functools import partial

from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import shuffle

import mnist_tracking as mt
from mnist_tracking import where

workspace = mt.Workspace.from_env()
x, y = shuffle(*load_wine(return_X_y=True), random_state=1)

for name, kind, setting, values in (
    ("wine-forest", partial(RandomForestClassifier, random_state=1), "n_estimators", (1, 10)),
    ("wine-neighbours", KNeighborsClassifier, "n_neighbors", (1, 10)),
):
    runner = mt.ExperimentRunner(workspace, name, tags={"data": "wine"})
    for value in values:
        with runner.trial({setting: value}) as trial:
            for accuracy in cross_val_score(kind(**{setting: value}), x, y):  # one value for each fold
                trial.log_metric("accuracy", accuracy)

experiments = [experiment.name for experiment in workspace.experiments(tags={"data": "wine"})]
good = (where.metric("accuracy") > 0.8) & (where.status() == "Completed")
for found in workspace.trials(experiments, where=good):
    print("good:", found.name, found.hyperparameters)
print(len(workspace.trials(where=where.param("n_estimators") < 5)), "forest with fewer than 5 trees")

mean = mt.Objective("accuracy", statistic="avg")
leaderboard = mt.Leaderboard.load(workspace, experiments, objective=mean)
print(leaderboard.dataframe()[["experiment", "objective", "metric.accuracy.min", "metric.accuracy.max"]])
print(workspace.compare(leaderboard[0], leaderboard[-1]))
