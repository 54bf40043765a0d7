"""Running and recording: the runner, its data and steps, submitted jobs, sweeps."""
