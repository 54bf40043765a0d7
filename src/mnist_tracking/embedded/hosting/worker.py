"""
Run one model: the handler contract of SageMaker's PyTorch containers, one request at a time.

Run by its path, never as a module of the package: imports must come from the user's archive, even if it has another
copy of this package. Standard library only; numpy and torch only when a default handler needs them.

``python worker.py MODEL_DIR CHANNEL_FD LIFELINE_FD``. The channel is a socket on which requests come and responses go,
as frames. When the lifeline closes, the supervisor has ended, and this process ends, too.
"""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import os
import signal
import socket
import struct
import sys
import threading
import traceback
import types
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, BinaryIO, cast

_JSON, _CSV, _NPY = "application/json", "text/csv", "application/x-npy"


class UnsupportedContentTypeError(ValueError):
    """A default handler does not support the content type."""

    def __init__(self, content_type: str) -> None:
        super().__init__(f"Content type {content_type} is not supported by this framework: {_JSON}, {_CSV}, {_NPY} are")


def _device() -> Any:
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_model_fn(model_dir: str) -> Any:
    """Load the only TorchScript file of the folder."""
    found = sorted(path for path in Path(model_dir).iterdir() if path.suffix in (".pt", ".pth"))
    if len(found) != 1:
        raise ValueError(
            f"Exactly one .pth or .pt file is required for PyTorch models: {[path.name for path in found]}. "
            "Otherwise the script needs a model_fn."
        )
    import torch

    return torch.jit.load(str(found[0]), map_location=_device())  # type: ignore[no-untyped-call]


def default_input_fn(body: Any, content_type: str) -> Any:
    """Decode JSON, CSV or npy to a tensor."""
    if content_type not in (_JSON, _CSV, _NPY):
        raise UnsupportedContentTypeError(content_type)
    import numpy as np
    import torch

    if content_type == _NPY:
        return torch.from_numpy(np.load(io.BytesIO(body), allow_pickle=False)).to(_device())
    values = json.loads(body) if content_type == _JSON else np.genfromtxt(io.StringIO(body), delimiter=",")
    return torch.tensor(np.asarray(values), dtype=torch.float32, device=_device())


def default_predict_fn(data: Any, model: Any) -> Any:
    """Call the model without gradients."""
    import torch

    with torch.no_grad():
        return model.to(_device()).eval()(data.to(_device()))


def default_output_fn(prediction: Any, accept: str) -> str | bytes:
    """Encode as the first accepted type that is JSON, CSV or npy; parameters of a type are not understood."""
    values = prediction.detach().cpu().tolist() if hasattr(prediction, "detach") else prediction
    values = values.tolist() if hasattr(values, "tolist") else values
    for kind in accept.replace(" ", "").split(","):
        if kind == _JSON:
            return json.dumps(values)
        if kind in (_CSV, _NPY):
            return _encode_array(values, kind)
    raise UnsupportedContentTypeError(accept)


def _encode_array(values: Any, kind: str) -> str | bytes:
    import numpy as np

    if kind == _NPY:
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(values), allow_pickle=False)
        return buffer.getvalue()
    stream = io.StringIO()
    np.savetxt(stream, np.atleast_1d(np.asarray(values)), delimiter=",", fmt="%s")
    return stream.getvalue()


def _text(value: Any) -> str:
    """Return what a handler gave as a content type as a string; empty for None."""
    if isinstance(value, bytes | bytearray):
        return value.decode("latin-1")
    return "" if value is None else str(value)


class Context:
    """The model and the request, passed to handlers that take an additional argument."""

    def __init__(self, model_dir: str, headers: dict[str, str]) -> None:
        self.system_properties = {"model_dir": model_dir, "gpu_id": None}
        self.model_name = "model"
        self._request_headers = headers
        self.response_headers: dict[str, str] = {}

    def get_request_header(self, _index: int, name: str) -> str | None:
        """Return a header of the request."""
        return self._request_headers.get(name.lower())

    def get_all_request_header(self, _index: int) -> dict[str, str]:
        """Return all headers of the request, with lower-case names."""
        return dict(self._request_headers)

    def set_response_header(self, _index: int, name: str, value: str) -> None:
        """Add a header to the response."""
        self.response_headers[str(name).lower()] = str(value)

    def set_response_content_type(self, index: int, value: str) -> None:
        """Set the content type of the response."""
        self.set_response_header(index, "content-type", value)


class Handlers:
    """The user's functions, with defaults for missing ones, and the model, loaded once."""

    def __init__(self, module: Any, model_dir: str) -> None:
        self._model_dir = model_dir
        self._transform = getattr(module, "transform_fn", None)
        self._input = getattr(module, "input_fn", default_input_fn)
        self._predict = getattr(module, "predict_fn", default_predict_fn)
        self._output = getattr(module, "output_fn", default_output_fn)
        if self._transform and any(hasattr(module, name) for name in ("input_fn", "predict_fn", "output_fn")):
            raise ValueError(
                "Cannot use transform_fn implementation in conjunction with input_fn, predict_fn, and/or output_fn "
                "implementation"
            )
        context = Context(model_dir, {})
        self._model = _call(getattr(module, "model_fn", default_model_fn), context, model_dir)

    def respond(self, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of a response."""
        content_type = headers.get("content-type") or _JSON
        accept = headers.get("accept", "*/*").strip()
        if accept in ("", "*/*"):
            accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", _JSON)
        context = Context(self._model_dir, headers)
        is_text = content_type in (_JSON, _CSV)  # as the toolkit, which does not know "; charset=..."
        data = body.decode("utf-8") if is_text else body
        result = self._run(data, content_type, accept, context)
        output, content_type = result if isinstance(result, tuple) else (result, accept)
        if not isinstance(output, str | bytes | bytearray | memoryview):
            raise TypeError(f"the handlers returned a {type(output).__name__}; expected str or bytes")
        encoded = output.encode() if isinstance(output, str) else bytes(output)
        return encoded, {"content-type": _text(content_type) or accept, **context.response_headers}

    def _run(self, data: bytes | str, content_type: str, accept: str, context: Context) -> Any:
        if self._transform:
            return _call(self._transform, context, self._model, data, content_type, accept)
        decoded = _call(self._input, context, data, content_type)
        prediction = _call(self._predict, context, decoded, self._model)
        return _call(self._output, context, prediction, accept)


def _call(function: Callable[..., Any], context: Context, *arguments: Any) -> Any:
    """Call a handler, with the context if it takes an additional argument."""
    takes = len(signature(function).parameters)
    return function(*arguments, context) if takes == len(arguments) + 1 else function(*arguments)


def import_script(code: Path) -> Any:
    """Import the user's script, if any."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [str(code), *(entry for entry in sys.path if Path(entry or ".").resolve() != here)]
    program = os.environ.get("SAGEMAKER_PROGRAM")
    path = code / (program or "inference.py")
    if not path.is_file():
        if program:
            raise FileNotFoundError(f"SAGEMAKER_PROGRAM={program!r} is not in the code folder of the model archive")
        return object()
    if path.parent != code:
        sys.path.insert(0, str(path.parent))
    loader = importlib.machinery.SourceFileLoader(path.stem, str(path))
    spec = importlib.util.spec_from_loader(path.stem, loader)
    module = types.ModuleType(path.stem) if spec is None else importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    loader.exec_module(module)
    return module


def respond(handlers: Handlers, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the response to a request; whatever a handler raises is a response, too."""
    try:
        content, found = handlers.respond(body, headers)
    except _Terminated:
        raise
    except BaseException as error:  # noqa: BLE001 - a handler may raise anything, even SystemExit; the caller gets the error
        trace = _trace(error)
        with contextlib.suppress(Exception):  # a handler may have closed it
            print(trace, file=sys.stderr, flush=True)  # noqa: T201 - standard error is the endpoint's log
        text = f"{_message(error)}\n{trace}"
        return 500, {"content-type": "text/plain; charset=utf-8"}, text.encode("utf-8", "replace")
    return 200, found, content


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as another:  # noqa: BLE001 - the user's own class
        return f"{type(error).__name__}, whose message cannot be read: {another!r}"


def _trace(error: BaseException) -> str:
    """Format a traceback, starting at the first frame outside this file."""
    here = error.__traceback__
    while here is not None and here.tb_frame.f_code.co_filename == __file__:
        here = here.tb_next
    return "".join(traceback.format_exception(type(error), error, here or error.__traceback__))


FRAME = struct.Struct("!IQ")
"""What a frame begins with: the sizes of its facts (JSON) and of its body."""

BEGUN = b"\x06"
"""What is sent before a request's handlers run."""


def write_frame(channel: BinaryIO, facts: dict[str, Any], body: bytes = b"") -> None:
    """Send a frame."""
    encoded = json.dumps(facts).encode()
    channel.write(FRAME.pack(len(encoded), len(body)) + encoded)
    channel.write(body)
    channel.flush()


def read_frame(channel: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """Wait for a frame; return its facts and its body, or None at the end of the channel."""
    head = channel.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    facts, body = FRAME.unpack(head)
    return json.loads(channel.read(facts)), channel.read(body)


class _Terminated(BaseException):
    """This process was asked to end."""


def _terminate(_number: int, _frame: object) -> None:
    raise _Terminated


def _end_with(lifeline: int) -> None:
    """Wait until the supervisor has ended, then end this process and its children."""
    with contextlib.suppress(OSError):
        os.read(lifeline, 1)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _serve(model_dir: str, channel: BinaryIO) -> None:
    code = Path(os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY") or Path(model_dir, "code"))
    handlers = Handlers(import_script(code), model_dir)
    me = os.getpid()
    write_frame(channel, {})  # the model is loaded
    while (request := read_frame(channel)) is not None:
        channel.write(BEGUN)
        channel.flush()
        status, headers, body = respond(handlers, *request)
        if os.getpid() != me:
            os._exit(0)  # a handler that forked also returns in the child
        write_frame(channel, {"status": status, "headers": headers}, body)


def main(model_dir: str, channel_fd: str, lifeline_fd: str) -> None:
    """Load the model, then respond to requests until the channel ends."""
    for descriptor in (int(channel_fd), int(lifeline_fd)):
        os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with, args=(int(lifeline_fd),), daemon=True).start()
    signal.signal(signal.SIGTERM, _terminate)
    with contextlib.suppress(_Terminated, BrokenPipeError), socket.socket(fileno=int(channel_fd)) as channel:
        _serve(model_dir, cast("BinaryIO", channel.makefile("rwb")))


if __name__ == "__main__":
    main(*sys.argv[1:])
