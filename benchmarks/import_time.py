"""Time to import `mnist_tracking` beyond starting Python, and which heavy packages it loads."""

import statistics
import subprocess
import sys
import time

_HEAVY = ("torch", "sagemaker", "boto3", "pandas")
_ROUNDS = 15


def main() -> None:
    """Measure alternately in fresh interpreters, and print both times."""
    bare, ours = [], []
    for _ in range(_ROUNDS):
        bare.append(_time("pass"))
        ours.append(_time("import mnist_tracking"))
    over = statistics.median(ours) - statistics.median(bare)
    print(f"bare Python            {1000 * statistics.median(bare):7.1f} ms (median of {_ROUNDS})")
    print(f"import mnist_tracking  {1000 * over:7.1f} ms more")
    print(f"loaded of {', '.join(_HEAVY)}: {_loaded()}")


def _time(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def _loaded() -> str:
    code = f"import mnist_tracking, sys; print(*(name for name in {_HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip() or "none"


if __name__ == "__main__":
    main()
