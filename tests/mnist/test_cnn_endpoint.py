"""An endpoint of the CNN: it runs the archive that was deployed, and takes any number of images of any known shape."""

import io
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from PIL import Image
from tests.support.digits import make_digits, write_idx_dataset
from tests.support.isolation import isolated_interpreter

from mnist_tracking import (
    BestModelDeployer,
    ConfigError,
    Endpoint,
    ExperimentRunner,
    ServiceError,
    Workspace,
    mnist_job,
)
from mnist_tracking._aws.storage import split_uri
from mnist_tracking._values.archives import unpack
from mnist_tracking.training.entry import PACKAGE_DIR

pytest.importorskip("torch")

MARKER = "this line is in the archive alone"
IMAGES, _ = make_digits(300)
MAX_BODY = 6_291_456
ASK = """
import io, sys
import numpy as np
import mnist
body = io.BytesIO()
np.save(body, np.load(sys.argv[2]))
answer = mnist.predict_fn(mnist.input_fn(body.getvalue(), "application/x-npy"), mnist.model_fn(sys.argv[1]))
print(sys.modules["mnist_tracking"].__file__)
np.save(sys.argv[3], np.load(io.BytesIO(mnist.output_fn(answer, "application/x-npy"))))
"""


def npy(array: object) -> bytes:
    body = io.BytesIO()
    np.save(body, np.asarray(array))
    return body.getvalue()


@attrs.frozen
class AsItIs:
    """Sends a body of that type."""

    CONTENT_TYPE: str

    def serialize(self, data: object) -> object:
        return data


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with_home = Workspace.embedded(tmp_path_factory.mktemp("cnn") / "home")
    yield with_home
    with_home.close()


@pytest.fixture(scope="module")
def endpoint(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Serves a small CNN that was trained by a marked copy of the package."""
    folder = tmp_path_factory.mktemp("sent")
    package = folder / PACKAGE_DIR.name
    shutil.copytree(PACKAGE_DIR, package, ignore=shutil.ignore_patterns("__pycache__"))
    serving = package / "training" / "serving.py"
    serving.write_text(f"{serving.read_text()}\nprint({MARKER!r})\n")
    job = attrs.evolve(mnist_job(epochs=1, hidden_channels=2), dependencies=(str(package),))
    runner = ExperimentRunner(workspace, "digits", job=job)
    runner.prepare_dataset(write_idx_dataset(folder / "data"))
    with BestModelDeployer(workspace).deploy(runner.run()) as endpoint:
        yield endpoint


@pytest.fixture
def sent(workspace: Workspace) -> Iterator[list[int]]:
    """The size of each request that goes to an endpoint."""
    sizes: list[int] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sizes.append(len(params["Body"]))

    events = workspace.client("sagemaker-runtime").meta.events
    events.register("provide-client-params.sagemaker-runtime.InvokeEndpoint", note)
    yield sizes
    events.unregister("provide-client-params.sagemaker-runtime.InvokeEndpoint", note)


def logged(workspace: Workspace, endpoint: Endpoint) -> list[str]:
    """Every line of the endpoint's log."""
    logs, group = workspace.client("logs"), f"/aws/sagemaker/Endpoints/{endpoint.name}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    pages = [logs.get_log_events(logGroupName=group, logStreamName=s["logStreamName"]) for s in streams]
    return [event["message"] for page in pages for event in page["events"]]


def test_the_deployed_archive_runs_where_nothing_is_installed(
    workspace: Workspace, endpoint: Endpoint, tmp_path: Path
) -> None:
    """What the real PyTorchModel packed needs neither this package nor an SDK, and answers as the endpoint does."""
    model = workspace.client("sagemaker").describe_model(ModelName=endpoint.name)
    bucket, key = split_uri(model["PrimaryContainer"]["ModelDataUrl"])
    workspace.client("s3").download_file(bucket, key, str(tmp_path / "model.tar.gz"))
    unpack(tmp_path / "model.tar.gz", tmp_path / "model")
    np.save(tmp_path / "images.npy", IMAGES)
    files = [str(tmp_path / name) for name in ("model", "images.npy", "answers.npy")]
    command = [str(isolated_interpreter(tmp_path / "isolated")), "-c", ASK, *files]
    done = subprocess.run(command, cwd=tmp_path / "model" / "code", capture_output=True, text=True, check=False)

    package = tmp_path / "model" / "code" / "mnist_tracking" / "__init__.py"
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{MARKER}\n{package}\n")
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), endpoint.predict(IMAGES, probabilities=True))


def test_the_endpoint_runs_the_archive_and_not_what_is_installed(workspace: Workspace, endpoint: Endpoint) -> None:
    assert MARKER in logged(workspace, endpoint)


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (1, 1, 28, 28)])
def test_one_image_may_have_any_of_three_shapes(endpoint: Endpoint, shape: tuple[int, ...]) -> None:
    answer = endpoint.predict(IMAGES[7].reshape(shape))

    assert answer.shape == (1,)
    assert answer.dtype == np.int64
    assert answer[0] == endpoint.predict(IMAGES)[7]


def test_probabilities_add_up_to_one(endpoint: Endpoint) -> None:
    answer = endpoint.predict(IMAGES[:, None], probabilities=True)

    assert answer.shape == (300, 10)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(answer.argmax(axis=1), endpoint.predict(IMAGES))


PICTURE = io.BytesIO()
Image.fromarray(IMAGES[7]).save(PICTURE, "PNG")
SENT = {
    "image/png": PICTURE.getvalue(),
    "application/json": json.dumps(IMAGES[7].tolist()),
    "application/x-npy; scale=1": npy(IMAGES[7] / 255),
    "text/csv": ",".join(map(str, IMAGES[7].ravel())),
}


@pytest.mark.parametrize("content_type", SENT)
def test_an_image_may_come_in_any_type(workspace: Workspace, endpoint: Endpoint, content_type: str) -> None:
    """The answer is the same."""
    client = workspace.endpoint(endpoint.name, serializer=AsItIs(content_type))

    expected = endpoint.predict(IMAGES[7], probabilities=True)
    answer = client.predict(SENT[content_type])

    assert answer.shape == (1, 10)
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_what_the_endpoint_refuses_reaches_the_client_as_a_sentence(workspace: Workspace, endpoint: Endpoint) -> None:
    client = workspace.endpoint(endpoint.name, serializer=AsItIs("image/png"))

    with pytest.raises(
        ServiceError, match=r"it is not a complete PNG picture\. Expected images of 28x28 pixels"
    ) as refused:
        client.predict(PICTURE.getvalue()[:-40])
    assert refused.value.code == "ModelError"
    assert "PIL" not in str(refused.value)  # the traceback that follows is that of our own check
    np.testing.assert_array_equal(endpoint.predict(IMAGES[:3]), endpoint.predict(IMAGES)[:3])  # it goes on


def test_an_endpoint_that_is_found_again_knows_that_it_is_the_cnns(workspace: Workspace, endpoint: Endpoint) -> None:
    with workspace.endpoint(endpoint.name) as found:
        np.testing.assert_array_equal(found.predict(IMAGES), endpoint.predict(IMAGES))

        assert found.trial == endpoint.trial
    with workspace.endpoint(endpoint.name, serializer="numpy") as plain:
        assert plain.predict(IMAGES[:3]).shape == (3, 10)


def test_no_images_give_no_digits(endpoint: Endpoint, sent: list[int]) -> None:
    none = np.empty((0, 28, 28), np.uint8)

    assert endpoint.predict(none).shape == (0,)
    assert endpoint.predict(none, probabilities=True).shape == (0, 10)
    assert sent == []


def test_many_images_go_in_requests_that_the_service_takes(endpoint: Endpoint, sent: list[int]) -> None:
    images, _ = make_digits(10_000, seed=1)
    answer = endpoint.predict(images)

    assert len(answer) == len(images)
    assert len(sent) > 1
    assert max(sent) <= MAX_BODY
    np.testing.assert_array_equal(answer[-300:], endpoint.predict(images[-300:]))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 28, 28), np.float32),
        np.zeros((2, 28, 27), np.uint8),
        np.zeros((2, 3, 28, 28), np.uint8),
        np.zeros(784, np.uint8),
        np.zeros((28, 28), bool),
        [[1, 2], [3]],
    ],
)
def test_what_is_no_image_is_refused_before_anything_is_sent(endpoint: Endpoint, sent: list[int], wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"expected uint8 of shape|not an array"):
        endpoint.predict(wrong)
    assert sent == []


def test_threads_may_ask_at_once(endpoint: Endpoint) -> None:
    expected, answers = endpoint.predict(IMAGES), {}

    def ask(number: int) -> None:
        answers[number] = endpoint.predict(IMAGES[number * 30 : number * 30 + 30])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == list(range(10))
    np.testing.assert_array_equal(np.concatenate([answers[number] for number in range(10)]), expected)
