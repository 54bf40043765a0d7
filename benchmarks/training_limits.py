"""
Training speed relative to the reference's loop and to a core's limit; start-up time, memory, and import time.

    python -m benchmarks.training_limits --data-dir DIR [--channels 2,20,32] [--rounds 5]

Ours and the reference's loop take turns, each in a process of its own with one thread. Times are of the processor. The
share is that of the additions and multiplications per second that a large fp32 matrix product reaches in the same
process; a training step does those of its layers forward and backward.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.training_steps import Steps, measure_apart

_IMPORTS = 7
_UNWANTED = ("torchvision", "torch._dynamo", "sympy")
_WAYS = (("reference", "fp32"), ("ours", "fp32"), ("ours", "bf16"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("MNIST_DATA_DIR") or None)
    parser.add_argument("--channels", default="2,20,32")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.data_dir is None:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    _print_import()
    print(f"{'channels':>8} {'program':>15} {'images/s':>16} {'ratio':>16} {'share':>6} {'MiB':>5}  n={options.rounds}")
    starts: list[float] = []
    for channels in map(int, options.channels.split(",")):
        rounds = [_round(options.data_dir, channels) for _ in range(options.rounds)]
        starts += [steps["start_s"] for each in rounds for way, steps in each.items() if way[0] == "ours"]
        for way in rounds[0]:
            _print_way(way, channels, rounds)
    print(
        f"from reading the files to the end of the first step: {_spread(starts, '.2f')} core-seconds, n={len(starts)}"
    )


def _round(data_dir: Path, channels: int) -> dict[tuple[str, str], Steps]:
    import torch

    from mnist_tracking.training.precision import has_bf16

    ways = _WAYS if has_bf16(torch.device("cpu")) else _WAYS[:2]
    return {way: measure_apart(way[0], data_dir, channels=channels, precision=way[1]) for way in ways}  # type: ignore[arg-type]


def _print_way(way: tuple[str, str], channels: int, rounds: Sequence[dict[tuple[str, str], Steps]]) -> None:
    speeds = [each[way]["images_per_s"] for each in rounds]
    ratios = [each[way]["images_per_s"] / each["reference", "fp32"]["images_per_s"] for each in rounds]
    shares = [each[way]["images_per_s"] * _flops(channels) / each[way]["flops_per_s"] for each in rounds]
    peak = max(each[way]["peak_mib"] for each in rounds)
    print(
        f"{channels:>8} {' '.join(way):>15} {_spread(speeds, '.0f'):>16} {_spread(ratios, '.2f'):>16} "
        f"{statistics.median(shares):6.0%} {peak:5.0f}",
        flush=True,
    )


def _flops(channels: int) -> int:
    """Return the additions and multiplications per image of a training step, in the layers only."""
    first, second = 24**2 * 25 * channels, 8**2 * 25 * channels * 20
    linear = 320 * 50 + 50 * 10
    return 2 * (
        2 * first + 3 * second + 3 * linear
    )  # forward, weight gradients, and input gradients except for the first layer


def _spread(values: Sequence[float], form: str) -> str:
    """Format the median, with the minimum and the maximum."""
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:{form}} ({least:{form}}-{most:{form}})"


def _print_import() -> None:
    seconds = [float(_python(_IMPORT).split()[0]) for _ in range(_IMPORTS)]
    loaded = _python(_IMPORT).split()[1:]
    print(
        f"import mnist_tracking.training.loop, beyond torch: {_spread([1000 * s for s in seconds], '.0f')} ms, ", end=""
    )
    print(f"n={_IMPORTS}; loaded of {', '.join(_UNWANTED)}: {', '.join(loaded) or 'none'}")


_IMPORT = f"""
import sys, time, torch
started = time.process_time()
import mnist_tracking.training.loop
print(time.process_time() - started, *(name for name in {_UNWANTED!r} if name in sys.modules))
"""


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
