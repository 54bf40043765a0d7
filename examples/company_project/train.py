"""Classify tumour cells as malignant or benign. An ordinary SageMaker script: it does not know mnist-tracking."""

import argparse
import os
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

KINDS = {"forest": RandomForestClassifier, "boosting": GradientBoostingClassifier}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=KINDS, default="forest")
    parser.add_argument("--trees", type=int, default=10)
    args = parser.parse_args()

    train, validation = (read(os.environ[f"SM_CHANNEL_{name}"]) for name in ("TRAIN", "VALIDATION"))
    model = KINDS[args.model](n_estimators=args.trees, random_state=1).fit(*train)
    print(f"accuracy on {len(validation[0])} held-out cells: {model.score(*validation):.4f}")
    joblib.dump(model, Path(os.environ["SM_MODEL_DIR"], "model.joblib"))


def read(folder: str) -> tuple[pd.DataFrame, pd.Series]:
    rows = pd.concat(map(pd.read_csv, sorted(Path(folder).glob("*.csv"))))
    return rows.drop(columns="target"), rows["target"]


def model_fn(model_dir: str) -> Any:
    return joblib.load(Path(model_dir, "model.joblib"))


if __name__ == "__main__":
    main()
