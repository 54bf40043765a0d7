"""Train on spot instances, which SageMaker may reclaim: another trial resumes from the checkpoints of a stopped one."""

from pathlib import Path

import mnist_tracking as mt

workspace = mt.Workspace.from_env()
job = mt.JobSpec(
    entry_point="train.py",
    source_dir=Path(__file__).parent,
    metrics={"epoch": r"epoch=(\d+);", "loss": r"loss=(\S+);"},
    max_run_s=3600,
    estimator={
        "use_spot_instances": True,
        "max_wait": 7200,  # seconds, for waiting and running together
        "checkpoint_s3_uri": f"s3://{workspace.bucket}/{workspace.prefix}/slopes/checkpoints",
    },
)
runner = mt.ExperimentRunner(workspace, "slopes", job=job)

stopped = runner.submit({"epochs": 1_000_000})  # more than would ever finish
for line in stopped.logs(follow=True):
    if line.startswith("epoch=3;"):
        stopped.stop()  # as SageMaker does when it reclaims the instance
trial = stopped.wait()
print(trial.status, "after", int(trial.metrics["epoch"].last), "epochs")

trial = runner.run({"epochs": int(trial.metrics["epoch"].last) + 10}, resume_from=trial)
for line in workspace.submitted(trial.name).logs():
    print(line)
print(trial.status, trial.metrics["loss"])
print(runner.cleanup())
