"""Learn to tell two kinds of flowers apart, by gradient descent in NumPy; print the validation loss of each epoch."""

import argparse

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--learning_rate", type=float, default=0.1)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--epochs", type=int, default=40)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()

drawn = np.random.default_rng(1)
kinds = drawn.integers(0, 2, 4000)
petals = drawn.normal(kinds[:, None] * 0.8, 1.0, (4000, 20))
train, validation = slice(0, 3000), slice(3000, 4000)

weights = np.random.default_rng(args.seed).normal(0, 1, 20)
velocity = np.zeros(20)
for epoch in range(1, args.epochs + 1):
    for _ in range(200):
        errors = 1 / (1 + np.exp(-(petals[train] - 0.4) @ weights)) - kinds[train]
        velocity = args.momentum * velocity - args.learning_rate * (petals[train] - 0.4).T @ errors / 3000
        weights += velocity
    probability = np.clip(1 / (1 + np.exp(-(petals[validation] - 0.4) @ weights)), 1e-9, 1 - 1e-9)
    loss = -np.mean(np.log(np.where(kinds[validation] == 1, probability, 1 - probability)))
    print(f"Epoch {epoch}/{args.epochs}: validation loss={loss:.6f};", flush=True)
