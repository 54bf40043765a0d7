"""
The page of 1,000 trials: seconds to write, size, and the time until a browser has painted it.

    python -m benchmarks.report_page

The trials are recorded in an embedded workspace, with four hyperparameters and three metrics of ten values each. The
curves of the best 100 are read. The size and the browser's times are also those of a page of 100 trials. First
contentful paint and the end of the page's own script are the medians of five visits of Chromium, where it is on the
PATH. For comparison, matplotlib draws the same scatter charts as SVG.
"""

import io
import math
import random
import re
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import attrs

from mnist_tracking import ExperimentRunner, Leaderboard, Workspace
from mnist_tracking._values.records import ParameterValue
from mnist_tracking.reading.report.contents import read_contents
from mnist_tracking.reading.report.page import render

TRIALS = 1000
VALUES = 10
VISITS = 5
BROWSER = shutil.which("chromium")
MEASURE = """
new PerformanceObserver((list) => {
  const [paint] = list.getEntriesByName("first-contentful-paint");
  if (!paint) return;
  const [visit] = performance.getEntriesByType("navigation");
  console.log(`measured ${paint.startTime} ${visit.domContentLoadedEventEnd};`);
}).observe({ type: "paint", buffered: true });
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Workspace.embedded(Path(folder, "home")) as workspace:
        record(workspace)
        Leaderboard.load(workspace, "many", objective="accuracy").importance()  # imports Optuna, once
        for count in (100, TRIALS):
            begun = time.perf_counter()
            board = Leaderboard.load(workspace, "many", objective="accuracy")
            loaded = time.perf_counter() - begun
            path = write(board, count, Path(folder, f"{count}.html"))
            if BROWSER is not None:
                print(f"{count:,} trials: {visited(path)}")
        print(f"reading the leaderboard itself: {loaded:.2f} s")
        print(f"matplotlib's SVG of the {len(board):,} trials' four scatter charts: {matplotlib_svg(board)}")
    if BROWSER is None:
        print("chromium is not on the PATH: nothing was painted")


def record(workspace: Workspace) -> None:
    chance = random.Random(1)
    runner = ExperimentRunner(workspace, "many")
    for _ in range(TRIALS):
        point: dict[str, ParameterValue] = {
            "lr": 10 ** chance.uniform(-4, -1),
            "depth": chance.randint(2, 8),
            "dropout": chance.uniform(0, 0.5),
            "optimizer": chance.choice(["sgd", "adam", "rmsprop"]),
        }
        top = chance.uniform(0.8, 0.99)
        with runner.trial(point) as trial:
            for step in range(VALUES):
                shown = top * (1 - math.exp(-step - 1))
                trial.log_metrics({"accuracy": shown, "train:loss": 1 - shown, "validation:loss": 1.1 - shown})


def write(board: Leaderboard, count: int, path: Path) -> Path:
    """Write the page of the first trials of a board, and print how long that took and how large it is."""
    board = attrs.evolve(board, trials=board.trials[:count])
    begun, used = time.perf_counter(), time.process_time()
    contents = read_contents(board, 100)
    read = time.perf_counter()
    path.write_text(render(contents), "utf-8")
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    print(
        f"{count:,} trials: {seconds:.2f} s ({used:.2f} CPU-s), of which {read - begun:.2f} s read curves, importance "
        f"and lineage; {path.stat().st_size / 1000:,.0f} KB"
    )
    return path


def visited(page: Path) -> str:
    """Open a page in a browser, several times, and return the medians of its own measurements."""
    copy = page.with_name(f"measured-{page.name}")
    # one more script needs a page without its policy, which does not change what is painted
    source = page.read_text("utf-8").replace('http-equiv="Content-Security-Policy"', 'name="policy"')
    copy.write_text(source.replace("</body>", f"<script>{MEASURE}</script></body>"), "utf-8")
    paints, ends = zip(*(_visit(copy) for _ in range(VISITS)), strict=True)
    return (
        f"first contentful paint after {statistics.median(paints):.0f} ms, "
        f"sortable after {statistics.median(ends):.0f} ms"
    )


def _visit(page: Path) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr")
        places = (f"--user-data-dir={folder}/profile", f"--screenshot={folder}/page.png")
        command = [str(BROWSER), *flags, *places, page.absolute().as_uri()]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    paint, end = re.findall(r"measured ([\d.]+) ([\d.]+);", said)[0]
    return float(paint), float(end)


def matplotlib_svg(board: Leaderboard) -> str:
    from mnist_tracking.reading.plots import parameter_effect

    begun, size = time.perf_counter(), 0
    for name in ("lr", "depth", "dropout", "optimizer"):
        drawn = io.BytesIO()
        parameter_effect(board, name).savefig(drawn, format="svg")
        size += len(drawn.getvalue())
    return f"{time.perf_counter() - begun:.2f} s, {size / 1000:,.0f} KB"


if __name__ == "__main__":
    main()
