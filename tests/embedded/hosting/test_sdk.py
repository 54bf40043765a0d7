"""The real SDK deploys, invokes and deletes an embedded endpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.archives import archive
from tests.support.hosting_account import ROLE, HostingAccount
from tests.support.processes import until

from mnist_tracking._aws.sdk import quiet

SCRIPT = """
import io, json
import numpy as np
from pathlib import Path
from helpers import multiply
def model_fn(model_dir): return json.loads((Path(model_dir) / "weights.json").read_text())["factor"]
def input_fn(body, content_type): return np.load(io.BytesIO(body))
def predict_fn(data, model): return multiply(data, model)
def output_fn(prediction, accept):
    buffer = io.BytesIO()
    np.save(buffer, prediction)
    return buffer.getvalue()
"""


@pytest.fixture
def model(account: HostingAccount, tmp_path: Path) -> Any:
    with quiet():
        from sagemaker.pytorch import PyTorchModel
        from sagemaker.session import Session

        (tmp_path / "code").mkdir()
        (tmp_path / "code" / "inference.py").write_text(SCRIPT)
        (tmp_path / "code" / "helpers.py").write_text("def multiply(a, b): return a * b\n")
        account.s3.put_object(Bucket="models", Key="job/model.tar.gz", Body=archive({"weights.json": '{"factor": 4}'}))
        session = Session(
            boto_session=account.engine.session(),
            sagemaker_client=account.sagemaker,
            sagemaker_runtime_client=account.runtime,
            default_bucket="models",
        )
        return PyTorchModel(
            model_data="s3://models/job/model.tar.gz",
            role=ROLE,
            entry_point="inference.py",
            source_dir=str(tmp_path / "code"),
            framework_version="2.6.0",
            py_version="py312",
            sagemaker_session=session,
            name="digits",
        )


@pytest.mark.filterwarnings("ignore")
def test_the_sdk_deploys_predicts_and_deletes(account: HostingAccount, model: Any) -> None:
    """Its repacked archive, its environment and its numpy predictor work unchanged."""
    predictor = model.deploy(initial_instance_count=1, instance_type="ml.m5.large", endpoint_name="digits", wait=False)
    until(lambda: account.status() != "Creating")

    assert account.status() == "InService", account.describe()
    answer = predictor.predict(np.array([1.0, 2.5], dtype=np.float32))
    assert answer.dtype == np.float32
    assert answer.tolist() == [4.0, 10.0]
    predictor.delete_model()
    predictor.delete_endpoint()
    assert account.sagemaker.list_models()["Models"] == []
    assert account.sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert account.sagemaker.list_endpoints()["Endpoints"] == []
