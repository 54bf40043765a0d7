"""Scripts with the paths of SageMaker's containers in them, which are not those of an embedded job."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mnist_tracking._values.files import files_below
from mnist_tracking.embedded.jobs.container import OPT_ML

_FIXED = re.compile(r"/opt/ml\b(?:/[\w.-]+)*")
_VARIABLES = {"model": "SM_MODEL_DIR", "output": "SM_OUTPUT_DATA_DIR", "checkpoints": "SM_MODEL_DIR/../checkpoints"}
_SEVERAL = 3


def failure_note(lines: Iterable[str]) -> str:
    """Return what to do about an error that mentions a path of SageMaker's containers; empty if none does."""
    found = next((match[0] for line in lines if (match := _FIXED.search(line))), None)
    if found is None:
        return ""
    return (
        f"{found!r} is a path of SageMaker's containers; jobs of the embedded SageMaker have folders of their own. "
        "Read the paths from the variables, which works on AWS, too: SM_MODEL_DIR for /opt/ml/model, SM_CHANNEL_<NAME> "
        "for /opt/ml/input/data/<name>, SM_OUTPUT_DATA_DIR for /opt/ml/output/data."
    )


def leftover_note(script: Path, root: Path = Path(OPT_ML)) -> str:
    """
    Return a note about other programs' files that a script may take for the job's own; empty without such files.

    Args:
        script: The script; one that does not mention the folder does not look there.
        root: The folder of SageMaker's containers.
    """
    there = [path for name in _VARIABLES for path in files_below(root / name)]
    if not there or str(root).encode() not in script.read_bytes():
        return ""
    return (
        f"The script mentions {root}, where this machine has files that do not belong to this job: {_several(there)}. "
        "Read the paths from the variables, such as SM_MODEL_DIR, and delete those files."
    )


def _several(paths: Sequence[Path]) -> str:
    return ", ".join(map(str, paths[:_SEVERAL])) + (", ..." if len(paths) > _SEVERAL else "")


def loss_notes(since: float, root: Path = Path(OPT_ML)) -> Iterator[str]:
    """
    Yield a line for each output folder of SageMaker's containers that has new files on this machine.

    Args:
        since: When the job started, in seconds since the epoch.
        root: The folder that has them all.
    """
    for name, variable in _VARIABLES.items():
        new = [path for path in files_below(root / name) if path.stat().st_mtime >= since]
        if new:
            yield (
                f"{root / name} of this machine is not the job's {name} folder, so what was written there during the "
                f"job is not kept: {_several(new)}. Write to {variable} instead, and delete these files, or the next "
                "job finds them."
            )
