"""What is there before: the two files in the company's bucket. Run this once, to try the rest on this machine."""

import json
from pathlib import Path

from sklearn.datasets import load_breast_cancer

import mnist_tracking as mt

settings = json.loads(Path(__file__).with_name("settings.json").read_text())
with mt.Workspace.embedded(**settings) as workspace:
    s3 = workspace.client("s3")
    for bucket in (settings["bucket"], "company-data"):
        s3.create_bucket(Bucket=bucket)
    cells = load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=1)
    for name, rows in (("train", cells[:400]), ("validation", cells[400:])):
        body = rows.to_csv(index=False).encode()
        s3.put_object(Bucket="company-data", Key=f"cells/{name}/{name}.csv", Body=body)
