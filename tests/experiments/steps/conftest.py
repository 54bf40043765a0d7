"""A runner without a job."""

import pytest

from mnist_tracking import (
    ExperimentRunner,
    Workspace,
)


@pytest.fixture
def recording(workspace: Workspace) -> ExperimentRunner:
    """A runner without a job."""
    return ExperimentRunner(workspace, "churn", tags={"team": "cv"})
