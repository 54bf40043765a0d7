"""
Microseconds to predict one image on one thread: the inference engines, and the overhead of the handlers.

    python -m benchmarks.serving [--channels 2,20,32] [--repeats 3000] [--compile]

The weights are random: their values do not change the time. Ways that are compared take turns, in rounds, so that
whatever else the machine does meets all of them. ``--compile`` adds torch.compile and AOTInductor, which need a C++
compiler and half a minute.
"""

import argparse
import functools
import io
import json
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mnist_tracking.training.artifact import Artifact
from mnist_tracking.training.classifier import Classifier, sample_pixels
from mnist_tracking.training.engines import Engine, OnnxEngine, TorchEngine
from mnist_tracking.training.layers import standard_layers
from mnist_tracking.training.model import Architecture, build_model
from mnist_tracking.training.serving import input_fn, output_fn, predict_fn

Way = Callable[[Tensor], Tensor]
BASELINE, CHOSEN = "torch, as it is", "ONNX Runtime"
ROUNDS = 10
ACCEPTED = ("application/json", "application/x-npy", "text/csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", default="2,20,32")
    parser.add_argument("--repeats", type=int, default=3000)
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # all of torch.jit is deprecated
    warnings.filterwarnings("ignore", category=FutureWarning)  # raised by torch.compile's own code
    print(
        f"{platform.machine()}, one thread, Python {platform.python_version()}, torch {torch.__version__}, "
        f"onnxruntime {version('onnxruntime')}; median of {options.repeats} (first and third quartile)"
    )
    for channels in map(int, options.channels.split(",")):
        print(f"\n{channels} channels: pixels to probabilities")
        compare(ways_of(artifact_of(channels), with_compiler=options.compile), options.repeats)
    print("\n20 channels: a request, from request body to response body")
    compare_requests(artifact_of(20), options.repeats)


def artifact_of(channels: int) -> Artifact:
    architecture = Architecture(hidden_channels=channels, kernel_size=5, dropout=0.2)
    model = build_model(architecture, generator=torch.Generator().manual_seed(0))
    return Artifact(architecture=architecture, weights=model.state_dict())


def ways_of(artifact: Artifact, *, with_compiler: bool) -> dict[str, Way]:
    """Return the inference methods; the first is the baseline."""
    ways: dict[str, Way] = {
        BASELINE: torch.no_grad()(Classifier.of(artifact)),
        "torch, inference_mode": TorchEngine(artifact, torch.device("cpu")),
        "its standard layers": torch.inference_mode()(standard_layers(artifact)),
        "its standard layers, jit.freeze": torch.inference_mode()(torch.jit.freeze(script_of(artifact))),
        "its standard layers, jit.optimize_for_inference": torch.inference_mode()(
            torch.jit.optimize_for_inference(script_of(artifact))
        ),
    }
    if with_compiler:
        ways["torch.compile"] = torch.inference_mode()(torch.compile(Classifier.of(artifact)))
        ways["its standard layers, AOTInductor"] = ahead_of_time(artifact)
    return {**ways, CHOSEN: OnnxEngine(artifact)}


def script_of(artifact: Artifact) -> torch.jit.ScriptModule:
    script: torch.jit.ScriptModule = torch.jit.script(standard_layers(artifact))
    return script


def ahead_of_time(artifact: Artifact) -> Way:
    """Return the standard layers, compiled to a library."""
    from torch._inductor import aoti_compile_and_package, aoti_load_package

    program = torch.export.export(standard_layers(artifact), (sample_pixels(1),))
    with tempfile.TemporaryDirectory() as folder:
        package = aoti_compile_and_package(program, package_path=str(Path(folder, "digits.pt2")))
        compiled: Way = torch.inference_mode()(aoti_load_package(package))
        return compiled


def compare(ways: Mapping[str, Way], repeats: int) -> None:
    image = sample_pixels(1)
    expected = ways[BASELINE](image)
    times = timed({name: functools.partial(way, image) for name, way in ways.items()}, repeats)
    for name, way in ways.items():
        ratio = statistics.median(times[BASELINE]) / statistics.median(times[name])
        print_row(name, times[name], f"{ratio:6.2f}x  differs by {float((way(image) - expected).abs().max()):.0e}")


def compare_requests(artifact: Artifact, repeats: int) -> None:
    engines: dict[str, Engine] = {BASELINE: TorchEngine(artifact, torch.device("cpu")), CHOSEN: OnnxEngine(artifact)}
    answer = engines[CHOSEN](sample_pixels(1))
    encoded = {f"output_fn, {kind}": functools.partial(output_fn, answer, kind) for kind in ACCEPTED}
    for name, times in timed(encoded, repeats).items():
        print_row(name, times)
    for kind, body in bodies().items():
        images = input_fn(body, kind)
        parts: dict[str, Callable[[], object]] = {f"{kind}: input_fn": functools.partial(input_fn, body, kind)}
        for name, engine in engines.items():
            parts[f"{kind}: predict_fn, {name}"] = functools.partial(predict_fn, images, engine)
            parts[f"{kind}: all three, {name}"] = functools.partial(respond, body, kind, engine)
        found = timed(parts, repeats)
        for name, times in found.items():
            ratio = statistics.median(found[name.replace(CHOSEN, BASELINE)]) / statistics.median(times)
            print_row(name, times, f"{ratio:6.2f}x" if CHOSEN in name else "")


def respond(body: bytes, content_type: str, engine: Engine) -> bytes | str:
    return output_fn(predict_fn(input_fn(body, content_type), engine), ACCEPTED[0])


def bodies() -> dict[str, bytes]:
    """Return one image in each accepted content type."""
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    npy, png, jpeg = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, image)
    Image.fromarray(image).save(png, "PNG")
    Image.fromarray(image).save(jpeg, "JPEG")
    return {
        "application/x-npy": npy.getvalue(),
        "application/json": json.dumps(image.tolist()).encode(),
        "text/csv": ",".join(map(str, image.ravel())).encode(),
        "image/png": png.getvalue(),
        "image/jpeg": jpeg.getvalue(),
    }


def timed(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Time each call *repeats* times, alternating in rounds; return microseconds."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            for _ in range(repeats // ROUNDS // 10 + 20):
                call()
            for _ in range(repeats // ROUNDS):
                begun = time.perf_counter_ns()
                call()
                times[name].append((time.perf_counter_ns() - begun) / 1000)
    return times


def print_row(name: str, times: list[float], more: str = "") -> None:
    first, median, third = statistics.quantiles(times, n=4)
    print(f"{name:48} {median:8.1f} ({first:.1f} to {third:.1f}) {more}", flush=True)


if __name__ == "__main__":
    main()
