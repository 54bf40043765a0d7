"""An embedded account for endpoints, whose models are a few lines of Python."""

from pathlib import Path
from typing import Any

import attrs
from tests.support.archives import archive
from tests.support.processes import until

from mnist_tracking.embedded.engine import EmbeddedSageMaker

ROLE = "arn:aws:iam::000000000000:role/role"
TIMES = """
import json
def model_fn(model_dir): return 3
def input_fn(body, content_type): return json.loads(body)
def predict_fn(data, model): return data * model
def output_fn(prediction, accept): return json.dumps(prediction)
"""


@attrs.define
class HostingAccount:
    """Clients of one embedded account, and shortcuts to create and invoke endpoints."""

    engine: EmbeddedSageMaker
    bucket: str | None = "models"
    s3: Any = attrs.field(init=False)
    sagemaker: Any = attrs.field(init=False)
    runtime: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        session = self.engine.session()
        self.s3, self.sagemaker = session.client("s3"), session.client("sagemaker")
        self.runtime = session.client("sagemaker-runtime")
        if self.bucket:
            self.s3.create_bucket(Bucket=self.bucket)

    def make_model(self, name: str = "digits", script: str = TIMES, **more: Any) -> None:
        """Create a model, and a configuration of the same name."""
        files = more.pop("files", {})
        self.s3.put_object(Bucket="models", Key=name, Body=archive({"code/inference.py": script, **files}))
        container = {"Image": "image", "ModelDataUrl": f"s3://models/{name}", **more}
        self.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}]
        )

    def deploy(self, name: str = "digits", script: str = TIMES, **more: Any) -> dict[str, Any]:
        """Create a model and its endpoint, wait until it is up or has failed, and describe it."""
        self.make_model(name, script, **more)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        until(lambda: self.status(name) != "Creating")
        return self.describe(name)

    def describe(self, name: str = "digits") -> dict[str, Any]:
        """Describe an endpoint."""
        described: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return described

    def status(self, name: str = "digits") -> str:
        """Return the status of an endpoint."""
        return str(self.describe(name)["EndpointStatus"])

    def ask(self, body: str | bytes, name: str = "digits", kind: str = "application/json", **more: Any) -> str:
        """Invoke an endpoint."""
        response = self.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=kind, **more)
        return str(response["Body"].read().decode())

    def row(self, name: str = "digits") -> Any:
        """Return an endpoint's row."""
        with self.engine.store.read() as connection:
            return connection.execute("SELECT * FROM endpoints WHERE name = ?", (name,)).fetchone()

    def log(self, name: str = "digits") -> list[str]:
        """Return the lines that an endpoint logged."""
        with self.engine.store.read() as connection:
            query = "SELECT message FROM log_events WHERE log_group = ? ORDER BY id"
            return [row[0] for row in connection.execute(query, (f"/aws/sagemaker/Endpoints/{name}",))]

    def wait_for_log(self, *lines: str, name: str = "digits") -> None:
        """Wait until the log ends with these lines; the supervisor writes them a moment after they were printed."""
        until(lambda: self.log(name)[-len(lines) :] == list(lines))

    def folder(self, name: str = "digits") -> Path:
        """Return the folder of an endpoint."""
        return self.engine.home / "endpoints" / str(self.row(name)["folder"])

    def folders(self) -> list[str]:
        """Return the names of all folders of endpoints."""
        parent = self.engine.home / "endpoints"
        return sorted(path.name for path in parent.iterdir()) if parent.exists() else []

    def delete_all(self) -> None:
        """Delete every endpoint."""
        for endpoint in self.sagemaker.list_endpoints(MaxResults=100)["Endpoints"]:
            self.sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
