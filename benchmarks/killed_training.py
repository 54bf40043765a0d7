"""
Kill a training run at random moments, resume it each time, and compare the result with an uninterrupted run.

    python -m benchmarks.killed_training --data-dir DIR --times 50

Each start is killed with SIGKILL, so that nothing of it can be tidied up. At the end come how often it was killed, and
from where it went on; the exit code is 1 unless every start went on from a whole checkpoint and the weights are
bit-equal.
"""

import argparse
import collections
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = [
    sys.executable,
    "-m",
    "mnist_tracking.training",
    *["--hidden-channels", "2", "--dropout", "0.2", "--epochs", "4", "--batch-size", "500"],
]
PLACE = re.compile(r"Resuming from a checkpoint: (\d+) epochs are done(?:, and (\d+) steps)?")


def main() -> int:
    """Run the comparison and print the result."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n\n", maxsplit=1)[0])
    parser.add_argument("--data-dir", default=os.environ.get("MNIST_DATA_DIR"))
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not options.data_dir:
        parser.error("no data: pass --data-dir or set MNIST_DATA_DIR.")
    with tempfile.TemporaryDirectory() as name:
        return compare(options.data_dir, Path(name), times=options.times, chance=random.Random(options.seed))


def compare(data: str, folder: Path, *, times: int, chance: random.Random) -> int:
    began = time.monotonic()
    subprocess.run(command(data, folder / "whole"), check=True, stdout=subprocess.DEVNULL)
    alone_s = time.monotonic() - began
    print(f"uninterrupted: {alone_s:.1f} s", flush=True)
    places, warnings, kills = collections.Counter[str](), 0, 0
    while kills < times:
        place, error, is_over = start(data, folder / "killed", chance)
        places[place] += 1
        warnings += error.count("warning:")
        kills += not is_over
        print(f"kill {kills}: resumed from {place}", error, flush=True)
        if is_over:  # it finished before the next kill: start again from scratch
            check(folder)
            for path in (folder / "killed" / "checkpoints").iterdir():
                path.unlink()
    subprocess.run(command(data, folder / "killed"), check=True, stdout=subprocess.DEVNULL)
    check(folder)
    print(f"{kills} kills; {warnings} warnings; {len(places)} places: {dict(sorted(places.items()))}")
    return 1 if warnings else 0


def command(data: str, folder: Path) -> list[str]:
    places = {"--model-dir": "model", "--output-data-dir": "output", "--checkpoint-dir": "checkpoints"}
    more = [text for option, name in places.items() for text in (option, str(folder / name))]
    return [*RUN, "--data-dir", data, *more, "--checkpoint-s", "0.05"]


def start(data: str, folder: Path, chance: random.Random) -> tuple[str, str, bool]:
    """Kill it at a random moment after its first line; return where it resumed, its warnings, and if it finished."""
    with subprocess.Popen(command(data, folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        first = program.stdout.readline()
        try:
            _, error = program.communicate(timeout=chance.uniform(0, 1.5))
        except subprocess.TimeoutExpired:
            program.kill()
            _, error = program.communicate()
    if program.returncode not in (0, -9):
        raise SystemExit(f"it ended by itself, with {program.returncode}: {error}")
    match = PLACE.match(first)
    place = f"epoch {int(match[1]) + 1}, step {match[2] or 0}" if match else "the start"
    return place, error, program.returncode == 0


def check(folder: Path) -> None:
    """Check that both runs produced the same results."""
    from mnist_tracking.training.artifact import load_artifact

    whole, killed = (load_artifact(folder / name / "model").weights for name in ("whole", "killed"))
    if not all(weight.equal(killed[name]) for name, weight in whole.items()):
        raise SystemExit("the weights differ")
    histories = {(folder / name / "output" / "history.json").read_bytes() for name in ("whole", "killed")}
    if len(histories) > 1:
        raise SystemExit("the histories differ")
    print("the weights are bit-identical, and the histories are equal", flush=True)


if __name__ == "__main__":
    sys.exit(main())
