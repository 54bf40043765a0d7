"""The AWS reference workflow with each class by name: train five networks on MNIST, compare, trace, deploy, predict."""

from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    HyperparameterSweep,
    LineageTracer,
    Workspace,
    mnist_job,
)
from mnist_tracking.mnist import find_mnist, load_images, load_labels

workspace = Workspace.embedded()  # or Workspace.aws(...)
dataset = find_mnist()  # from MNIST_DATA_DIR if set; otherwise downloaded once (12 MB)

job = mnist_job(recipe="reference", epochs=2, dropout=0.2)
runner = ExperimentRunner(workspace, "mnist-digits", job=job)
runner.prepare_dataset(dataset)  # upload, fingerprint, and track as the step `Preprocessing`

sweep = HyperparameterSweep(runner, {"hidden_channels": [2, 5, 10, 20, 32]}, max_parallel=2)
leaderboard = sweep.run()
print(leaderboard)

lineage = LineageTracer(workspace).trace(leaderboard.best)
print(lineage)

images, labels = load_images(dataset, "test"), load_labels(dataset, "test")
with BestModelDeployer(workspace).deploy(leaderboard) as endpoint:
    digits = endpoint.predict(images)  # (N, 28, 28) uint8 -> (N,) digits
print(f"{(digits == labels).mean():.2%} of {len(labels)} test images right")

print(runner.cleanup())  # the endpoint was deleted at the end of the block above
workspace.close()
