"""The whole workflow in one program: train, compare, trace and deploy, on small data that scikit-learn ships."""

import mnist_tracking as mt
from mnist_tracking.mnist import find_mnist, load_images, load_labels, write_digits

write_digits("data/")  # the 1,797 small digits of scikit-learn
data = find_mnist("data/")  # find_mnist() without a folder downloads MNIST (12 MB)
images, labels = load_images(data, "test"), load_labels(data, "test")  # (300, 28, 28) uint8, (300,) digits

with mt.Workspace.embedded() as workspace:  # or Workspace.aws(...), Workspace.from_env()
    runner = mt.ExperimentRunner(workspace, "mnist-digits", job=mt.mnist_job(recipe="reference", epochs=2))
    runner.prepare_dataset("data/")  # upload, fingerprint, and track as the step `Preprocessing`
    board = mt.HyperparameterSweep(runner, {"hidden_channels": [2, 5, 10, 20, 32]}, max_parallel=2).run()
    print(board, board.best.lineage())  # = LineageTracer(workspace).trace(board.best)
    with board.best.deploy() as endpoint:  # = BestModelDeployer(workspace).deploy(board); leaving deletes
        digits = endpoint.predict(images)
    print(f"{(digits == labels).mean():.1%} of {len(labels)} test images right")
    print(runner.cleanup())
