"""Serve a factor: multiply each number of a JSON list by it."""

import json
from pathlib import Path


def model_fn(model_dir: str) -> float:
    return float(Path(model_dir, "model.txt").read_text())


def transform_fn(
    model: float,
    body: str,
    _content_type: str,
    accept: str,
) -> tuple[str, str]:
    return json.dumps([model * x for x in json.loads(body)]), accept
