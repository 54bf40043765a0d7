"""Create the data that the project finds in its company's S3: two buckets and two CSV files. Safe to run again."""

import json
from pathlib import Path

from sklearn.datasets import load_breast_cancer

import mnist_tracking as mt

settings = json.loads(Path(__file__).with_name("settings.json").read_text())
with mt.Workspace.embedded(**settings) as workspace:
    s3 = workspace.client("s3")
    existing = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for bucket in {settings["bucket"], "company-data"} - existing:
        s3.create_bucket(Bucket=bucket)
    cells = load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=1)
    for name, rows in (("train", cells[:400]), ("validation", cells[400:])):
        body = rows.to_csv(index=False).encode()
        s3.put_object(Bucket="company-data", Key=f"cells/{name}/{name}.csv", Body=body)
        print(f"s3://company-data/cells/{name}/{name}.csv: {len(rows)} rows")
