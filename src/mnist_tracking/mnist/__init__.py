"""MNIST: the dataset, the job that trains the CNN, its endpoint and its exports."""

from mnist_tracking.mnist.datasets import Dataset as Dataset
from mnist_tracking.mnist.datasets import find_mnist as find_mnist
from mnist_tracking.mnist.datasets import load_images as load_images
from mnist_tracking.mnist.datasets import load_labels as load_labels
from mnist_tracking.mnist.datasets import read_mnist as read_mnist
from mnist_tracking.mnist.export import export_model as export_model
from mnist_tracking.mnist.fallback import write_digits as write_digits
from mnist_tracking.mnist.plots import plot_digits as plot_digits
from mnist_tracking.mnist.spec import mnist_job as mnist_job

__all__ = [
    "Dataset",
    "export_model",
    "find_mnist",
    "load_images",
    "load_labels",
    "mnist_job",
    "plot_digits",
    "read_mnist",
    "write_digits",
]
