"""A scikit-learn model trained in this process, without a job: tracked, compared, deployed, used for predictions."""

import json
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def main() -> None:
    import mnist_tracking as mt  # imported here: the endpoint imports this file too, where it is not installed

    x, x_test, y, y_test = train_test_split(*load_iris(return_X_y=True), random_state=1)
    workspace = mt.Workspace.from_env()
    runner = mt.ExperimentRunner(workspace, "irises", description="How much regularisation?")
    for c in (0.01, 1.0):
        with runner.trial({"C": c}) as trial:
            model = LogisticRegression(C=c, max_iter=1000).fit(x, y)
            trial.log_metric("test:accuracy", 100 * model.score(x_test, y_test))  # in percent
            joblib.dump(model, "model.joblib")
            trial.log_model("model.joblib", entry_point=__file__)
    board = mt.Leaderboard.load(workspace, "irises", objective="test:accuracy")
    with board.best.deploy(serializer="json") as endpoint:
        print(endpoint.predict(x_test[:3]), "expected", y_test[:3].tolist())
    print(runner.cleanup())


def model_fn(model_dir: str) -> Any:
    return joblib.load(Path(model_dir, "model.joblib"))


def transform_fn(model: Any, body: str, _content_type: str, accept: str) -> tuple[str, str]:
    return json.dumps(model.predict(json.loads(body)).tolist()), accept


if __name__ == "__main__":
    main()
