"""The handler contract: which functions a model's script can define, and their arguments."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError
from tests.support.hosting_account import TIMES, HostingAccount
from tests.support.processes import until

from mnist_tracking.embedded.engine import EmbeddedSageMaker

SEEN = """
import json, os, sys
def model_fn(model_dir): return model_dir
def input_fn(body, content_type): return [type(body).__name__, content_type]
def predict_fn(data, model): return data
def output_fn(prediction, accept): return json.dumps([*prediction, accept])
"""
ENVIRONMENT = """
import json, os, sys
def model_fn(model_dir): return {"model_dir": model_dir, "path": sys.path[0], "env": dict(os.environ)}
def transform_fn(model, body, content_type, accept): return json.dumps(model)
"""


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ({}, ["str", "application/json", "application/json"]),
        ({"Accept": "*/*"}, ["str", "application/json", "application/json"]),
        ({"Accept": "text/csv"}, ["str", "application/json", "text/csv"]),
    ],
)
def test_handlers_get_the_body_and_the_content_types(
    account: HostingAccount, sent: dict[str, str], seen: list[str]
) -> None:
    """Text types are decoded; Accept defaults to JSON."""
    account.deploy(script=SEEN)

    assert json.loads(account.ask("{}", **sent)) == seen
    assert json.loads(account.ask(b"\x93", kind="application/x-npy"))[:2] == ["bytes", "application/x-npy"]


def test_a_type_with_a_parameter_is_not_decoded(account: HostingAccount) -> None:
    """The toolkit looks up the whole header (sagemaker-inference 1.10.1, transformer.py and decoder.py)."""
    account.deploy(script=SEEN)
    kind = "application/json; charset=utf-8"

    assert json.loads(account.ask("{}", kind=kind))[:2] == ["bytes", kind]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/csv; header=absent"])
def test_the_default_handlers_know_the_bare_types_alone(account: HostingAccount, kind: str) -> None:
    account.deploy(script="def model_fn(model_dir): return 3\ndef predict_fn(data, model): return data.tolist()")

    assert json.loads(account.ask("[1.0, 2.0]")) == [1.0, 2.0]
    with pytest.raises(ClientError, match="is not supported by this framework"):
        account.ask("[1.0]", kind=kind)
    with pytest.raises(ClientError, match="is not supported by this framework"):
        account.ask("[1.0]", Accept=kind)


def test_the_accepted_type_may_be_given_by_the_environment(account: HostingAccount) -> None:
    account.deploy(script=SEEN, Environment={"SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv"})

    assert json.loads(account.ask("{}"))[2] == "text/csv"


def test_the_script_is_the_one_that_the_environment_names(account: HostingAccount) -> None:
    files = {"code/deep/mine.py": TIMES.replace("return 3", "return 5"), "": ""}
    names = {"SAGEMAKER_PROGRAM": "deep/mine.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    account.deploy(files=files, Environment=names)

    assert account.ask("2") == "10"


def test_the_model_is_loaded_once(account: HostingAccount) -> None:
    account.deploy(
        script="""
loads = []
def model_fn(model_dir): loads.append(model_dir)
def transform_fn(model, body, content_type, accept): return str(len(loads))
"""
    )

    assert [account.ask(""), account.ask("")] == ["1", "1"]


def test_what_was_printed_before_the_end_is_in_the_log(account: HostingAccount) -> None:
    """Even what the supervisor had not read when it was terminated."""
    account.deploy(script=TIMES.replace("return data * model", "print('line\\n' * 100_000); return 0"))
    account.ask("1")
    account.sagemaker.delete_endpoint(EndpointName="digits")

    assert account.log() == ["line"] * 100_000 + [""]


def test_requirements_are_not_installed_as_the_log_notes(account: HostingAccount) -> None:
    account.deploy(files={"code/requirements.txt": "numpy"})

    assert account.log() == ["requirements.txt is not installed; the model uses its Python environment as it is."]


def test_output_may_name_its_content_type(account: HostingAccount) -> None:
    account.deploy(script="def model_fn(d): pass\ndef transform_fn(m, b, c, a): return b'x', 'image/png'")

    assert account.runtime.invoke_endpoint(EndpointName="digits", Body=b"")["ContentType"] == "image/png"


def test_handlers_may_take_the_context(account: HostingAccount) -> None:
    account.deploy(
        script="""
def model_fn(model_dir, context): return context.system_properties["model_dir"]
def transform_fn(model, body, content_type, accept, context):
    name = "X-Amzn-SageMaker-Custom-Attributes"
    context.set_response_header(0, name, context.get_request_header(0, name) + "!")
    return model
"""
    )

    response = account.runtime.invoke_endpoint(EndpointName="digits", Body=b"", CustomAttributes="trace")
    assert response["CustomAttributes"] == "trace!"
    assert response["Body"].read().decode().endswith("/model")


def test_transform_fn_excludes_the_others(account: HostingAccount) -> None:
    described = account.deploy(script=TIMES + "def transform_fn(m, b, c, a): return b")

    assert described["EndpointStatus"] == "Failed"
    assert "Cannot use transform_fn" in described["FailureReason"]


def test_a_model_that_cannot_be_loaded_fails_with_the_end_of_its_traceback(account: HostingAccount) -> None:
    described = account.deploy(script="def model_fn(model_dir): raise RuntimeError('no weights')")

    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]
    assert described["FailureReason"].endswith("RuntimeError: no weights")
    assert account.log()[-1] == "RuntimeError: no weights"


def test_a_program_that_is_missing_is_named(account: HostingAccount) -> None:
    described = account.deploy(Environment={"SAGEMAKER_PROGRAM": "other.py"})

    assert "SAGEMAKER_PROGRAM='other.py' is not in the code folder" in described["FailureReason"]


def test_invalid_archive_is_the_failure_reason(account: HostingAccount) -> None:
    account.make_model()
    account.s3.put_object(Bucket="models", Key="digits", Body=b"this is no archive")
    account.sagemaker.create_endpoint(EndpointName="digits", EndpointConfigName="digits")
    until(lambda: account.status() == "Failed")

    assert "cannot be unpacked" in account.describe()["FailureReason"]


def test_missing_interpreter_is_the_failure_reason(account: HostingAccount) -> None:
    elsewhere = EmbeddedSageMaker(account.engine.home, python="/nowhere/python")
    with_it = HostingAccount(elsewhere, bucket=None)

    assert "/nowhere/python" in with_it.deploy()["FailureReason"]
    elsewhere.close()


@pytest.mark.parametrize("raised", ["ValueError('too many fingers')", "SystemExit('too many fingers')"])
def test_exception_of_a_handler_is_a_model_error(account: HostingAccount, raised: str) -> None:
    account.deploy(script=TIMES.replace("return data * model", f"raise {raised}"))

    with pytest.raises(ClientError, match="too many fingers") as caught:
        account.ask("1")
    response: Mapping[str, Any] = caught.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert "in predict_fn" in response["OriginalMessage"]
    assert "server.py" not in response["OriginalMessage"]
    assert (
        "See https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logEventViewer:group="
        "/aws/sagemaker/Endpoints/digits in account 000000000000 for more information."
    ) in response["Error"]["Message"]
    assert response["LogStreamArn"].endswith("log-group:/aws/sagemaker/Endpoints/digits")
    account.wait_for_log(f"{raised.partition('(')[0]}: too many fingers", "")
    assert account.status() == "InService"


def test_response_must_be_str_or_bytes(account: HostingAccount) -> None:
    account.deploy(script="def model_fn(d): pass\ndef transform_fn(m, b, c, a): return {'a': 1}")

    with pytest.raises(ClientError, match="the handlers returned a dict"):
        account.ask("1")


def test_the_environment_is_clean(account: HostingAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    account.deploy(script=ENVIRONMENT, Environment={"MINE": "1"})

    seen = json.loads(account.ask("1"))
    env, model = seen["env"], account.folder() / "ml" / "model"
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "PYTHONPATH"} & env.keys()
    assert env["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert env["MINE"] == "1"
    assert seen["model_dir"] == env["SM_MODEL_DIR"] == str(model)
    assert seen["path"] == str(model / "code")


def test_what_runs_is_the_archives_own_package(account: HostingAccount) -> None:
    """The archive may contain another copy of this package."""
    script = "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent / 'lib'))\n"
    script += "from mnist_tracking.marker import *\n"
    account.deploy(
        script=script, files={"code/lib/mnist_tracking/__init__.py": "", "code/lib/mnist_tracking/marker.py": TIMES}
    )

    assert account.ask("2") == "6"


def test_folder_of_the_archive_shadows_no_library(account: HostingAccount) -> None:
    files = {"code/uvicorn.py": "raise RuntimeError('not this one')", "code/server.py": "x = 1"}
    account.deploy(script="import server\nassert server.x == 1\n" + TIMES, files=files)

    assert account.ask("2") == "6"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_default_handlers_load_torchscript_and_support_json_csv_and_npy(account: HostingAccount) -> None:
    torch = pytest.importorskip("torch")
    weights, npy = io.BytesIO(), io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Threshold(0.0, 0.0), torch.ones(2)), weights)
    np.save(npy, np.array([[-1.0, 2.5]], dtype=np.float32))
    account.deploy(script="", files={"model.pt": weights.getvalue()})

    assert json.loads(account.ask("[[-1, 2.5]]")) == [[0.0, 2.5]]
    assert account.ask("-1,2.5\n3,4", kind="text/csv", Accept="text/csv") == "0.0,2.5\n3.0,4.0\n"
    response = account.runtime.invoke_endpoint(
        EndpointName="digits", Body=npy.getvalue(), ContentType="application/x-npy", Accept="application/x-npy"
    )
    assert np.load(io.BytesIO(response["Body"].read())).tolist() == [[0.0, 2.5]]
    with pytest.raises(ClientError, match="Content type image/png is not supported by this framework"):
        account.ask("", kind="image/png")


def test_without_a_script_there_must_be_exactly_one_model_file(account: HostingAccount) -> None:
    described = account.deploy(script="")

    assert r"Exactly one .pth or .pt file is required for PyTorch models: []" in described["FailureReason"]
