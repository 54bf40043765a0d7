"""How an entry point is run, as the toolkit does it: as a Python program, a module of a package, or a command."""

from collections.abc import Iterator

from mnist_tracking.embedded.jobs.distribution import torchrun
from mnist_tracking.embedded.jobs.environment import arguments
from mnist_tracking.embedded.jobs.placement import Placement
from mnist_tracking.embedded.jobs.transfers import JobError

_COMMAND = 'exec "./$0" "$@"'
_PACKAGE = (  # $0 is the interpreter, $1 the folder for the package, $2 the module; the script's arguments follow
    'PIP_CONFIG_FILE=/dev/null "$0" -m pip install --quiet --no-deps --no-build-isolation --no-index --no-cache-dir '
    '--disable-pip-version-check --root-user-action=ignore --target "$1" . || exit; '
    'module=$2; shift 2; exec "$0" -m "$module" "$@"'
)
_NOT_INSTALLED = "requirements.txt is not installed here; the job's interpreter is used as it is."
_WITHOUT_DEPENDENCIES = (
    "setup.py is installed without the packages that it needs; the job's interpreter is used as it is."
)


def command(placement: Placement, python: str) -> list[str]:
    """
    Return what is run on a host, in the folder of its code.

    Raises:
        JobError: If torchrun is to run a package, which it cannot.
    """
    program, given = placement.program, arguments(placement.hyperparameters)
    if placement.host.name in placement.distribution_hosts:
        if placement.is_package:
            raise JobError("ClientError: Python packages are not supported for torch_distributed: it runs a script.")
        launcher = torchrun(python, placement.distribution_hosts, placement.host.name, placement.port)
        return [*launcher, program, *given]
    if placement.is_package:
        module = program.removesuffix(".py")
        return ["/bin/sh", "-c", _PACKAGE, python, str(placement.layout.packages), module, *given]
    if program.endswith(".py"):
        return [python, program, *given]
    (placement.layout.code / program).chmod(0o777)  # in the job's own folder, as the toolkit does
    return ["/bin/sh", "-c", _COMMAND, program, *given]


def notes(placement: Placement) -> Iterator[str]:
    """Yield what is to be said in the log of how this differs from a container."""
    if (placement.layout.code / "requirements.txt").is_file():
        yield _NOT_INSTALLED
    if placement.is_package:
        yield _WITHOUT_DEPENDENCIES
