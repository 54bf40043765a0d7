"""
Where the demo's time goes: the whole reference workflow, five models and two epochs, by phase.

    python -m benchmarks.demo_time

Runs ``mnist-tracking demo`` as a user would, in a folder of its own; MNIST_DATA_DIR says where MNIST is.
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
        told = json.loads(Path(folder, "mnist-demo", "timings.json").read_text())
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"the demo: {told['total_s']:.1f} s, of which {told['not_training']:.0%} is not training")
    for phase, seconds in sorted(told["phases_s"].items(), key=lambda item: -item[1]):
        print(f"{phase:>10} {seconds:7.2f} s")


if __name__ == "__main__":
    main()
