"""
Serve one model: the handler contract of SageMaker's PyTorch containers, on loopback.

Run by its path, never as a module of the package: what the user's archive brings must be what is imported, even where
that is another copy of this very package. Standard library, Starlette and uvicorn; numpy and torch only when a default
handler needs them.

``python server.py MODEL_DIR PORT_FILE``
"""

import asyncio
import contextlib
import importlib
import io
import json
import os
import socket
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from pathlib import Path
from typing import Any

_JSON, _CSV, _NPY = "application/json", "text/csv", "application/x-npy"


class UnsupportedContentTypeError(ValueError):
    """A default handler does not know the content type."""

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework.")


def default_model_fn(model_dir: str) -> Any:
    """Load the one TorchScript file of the folder."""
    found = [path for path in Path(model_dir).iterdir() if path.suffix in (".pt", ".pth")]
    if len(found) != 1:
        raise ValueError(f"Exactly one .pth or .pt file is required for PyTorch models: {[p.name for p in found]}")
    import torch

    load: Callable[..., Any] = torch.jit.load
    return load(str(found[0]), map_location="cpu")


def default_input_fn(body: Any, content_type: str) -> Any:
    """Decode JSON, CSV or npy to a tensor."""
    import numpy as np
    import torch

    if content_type == _NPY:
        return torch.from_numpy(np.load(io.BytesIO(body), allow_pickle=False))
    if content_type == _JSON:
        return torch.FloatTensor(json.loads(body))
    if content_type == _CSV:
        return torch.FloatTensor(np.genfromtxt(io.StringIO(body), dtype=np.float32, delimiter=","))
    raise UnsupportedContentTypeError(content_type)


def default_predict_fn(data: Any, model: Any) -> Any:
    """Call the model without gradients."""
    import torch

    with torch.no_grad():
        return model.eval()(data)


def default_output_fn(prediction: Any, accept: str) -> Any:
    """Encode as JSON, CSV or npy."""
    values = prediction.detach().cpu().tolist() if hasattr(prediction, "detach") else prediction
    values = values.tolist() if hasattr(values, "tolist") else values
    if accept == _JSON:
        return json.dumps(values)
    import numpy as np

    if accept == _NPY:
        buffer = io.BytesIO()
        np.save(buffer, np.array(values))
        return buffer.getvalue()
    if accept == _CSV:
        stream = io.StringIO()
        np.savetxt(stream, np.atleast_1d(np.array(values)), delimiter=",", fmt="%s")
        return stream.getvalue()
    raise UnsupportedContentTypeError(accept)


class Handlers:
    """The user's four functions, with defaults for those that are missing."""

    def __init__(self, module: Any, model_dir: str) -> None:
        self._transform = getattr(module, "transform_fn", None)
        self._input = getattr(module, "input_fn", default_input_fn)
        self._predict = getattr(module, "predict_fn", default_predict_fn)
        self._output = getattr(module, "output_fn", default_output_fn)
        if self._transform and any(hasattr(module, name) for name in ("input_fn", "predict_fn", "output_fn")):
            raise ValueError("Cannot use transform_fn in conjunction with input_fn, predict_fn, and/or output_fn")
        self._model = _call(getattr(module, "model_fn", default_model_fn), model_dir)

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """Answer one request."""
        data: bytes | str = body.decode("utf-8") if content_type.split(";")[0] in (_JSON, _CSV) else body
        if self._transform:
            result = _call(self._transform, self._model, data, content_type, accept)
        else:
            prediction = _call(self._predict, _call(self._input, data, content_type), self._model)
            result = _call(self._output, prediction, accept)
        output, answered = result if isinstance(result, tuple) else (result, accept)
        return (output.encode() if isinstance(output, str) else bytes(output)), answered


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a handler; one that takes an argument more gets the context."""
    takes_context = len(signature(function).parameters) > len(arguments)
    return function(*arguments, None) if takes_context else function(*arguments)


def load_handlers(model_dir: Path) -> Handlers:
    """Import the user's script and load the model."""
    code = model_dir / "code"
    sys.path[0] = str(code)
    program = os.environ.get("SAGEMAKER_PROGRAM", "inference.py")
    importlib.invalidate_caches()
    module = importlib.import_module(Path(program).stem) if (code / program).is_file() else object()
    return Handlers(module, str(model_dir))


def make_app(handlers: Handlers) -> Any:
    """Make the application: ``GET /ping`` and ``POST /invocations``."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    worker = ThreadPoolExecutor(1, thread_name_prefix="model")

    async def ping(_request: Request) -> Response:
        return PlainTextResponse("")

    async def invocations(request: Request) -> Response:
        body = await request.body()
        content_type = request.headers.get("content-type", _JSON)
        accept = request.headers.get("accept", "*/*")
        if accept in ("", "*/*"):
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", _JSON)
        loop = asyncio.get_running_loop()
        try:
            output, answered = await loop.run_in_executor(worker, handlers.answer, body, content_type, accept)
        except Exception as error:  # noqa: BLE001 - a handler may raise anything; the caller is told what
            traceback.print_exc()
            return PlainTextResponse(f"{error}\n{traceback.format_exc()}", status_code=500)
        return Response(output, media_type=answered)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        worker.shutdown(wait=False)

    return Starlette(
        routes=[Route("/ping", ping), Route("/invocations", invocations, methods=["POST"])], lifespan=lifespan
    )


def main(model_dir: str, port_file: str) -> None:
    """Load the model, listen on a free port of loopback, and say which."""
    app = make_app(load_handlers(Path(model_dir)))
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on"))
    Path(f"{port_file}.part").write_text(str(listener.getsockname()[1]))
    os.replace(f"{port_file}.part", port_file)
    server.run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
