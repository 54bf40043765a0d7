"""
Time of each phase of the demo: the complete reference workflow, with five models and two epochs.

    python -m benchmarks.demo_time

Runs ``mnist-tracking demo`` as a user would, in a temporary folder. MNIST_DATA_DIR is the folder with MNIST.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    command = [sys.executable, "-c", "from mnist_tracking.cli import main; main()", "demo"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        timings = json.loads(Path(folder, "mnist-demo", "timings.json").read_text())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"the demo: {timings['total_s']:.1f} s, of which {timings['not_training']:.0%} is not training")
    for phase, seconds in sorted(timings["phases_s"].items(), key=lambda item: -item[1]):
        print(f"{phase:>10} {seconds:7.2f} s")


if __name__ == "__main__":
    main()
