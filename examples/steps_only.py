"""No job at all: preprocessing, training and evaluation run in this program, each recorded as a step of its trial."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import mnist_tracking as mt

workspace = mt.Workspace.from_env()
runner = mt.ExperimentRunner(workspace, "linear-digits", description="How much regularisation?")

with runner.step("Preprocessing") as step:  # without a trial: shared by the trials that follow
    images, labels = load_digits(return_X_y=True)
    seen = images.max(axis=0) > 0
    step.log_parameters({"pixels": int(seen.sum()), "dropped": int((~seen).sum()), "seed": 1})
x, x_test, y, y_test = train_test_split(images[:, seen], labels, random_state=1)

for alpha in (0.001, 1.0):
    with runner.trial({"alpha": alpha}) as trial:
        model = SGDClassifier(alpha=alpha, random_state=1)
        for epoch in range(5):
            model.partial_fit(x, y, classes=range(10))
            trial.log_metric("test:accuracy", 100 * model.score(x_test, y_test), step=epoch)  # in percent
    with runner.step("Evaluation", trial=trial) as step:
        predicted = model.predict(x_test)
        wrong = predicted != y_test
        step.log_table(
            {"item": wrong.nonzero()[0], "label": y_test[wrong], "predicted": predicted[wrong]}, name="errors"
        )
        step.log_confusion_matrix(y_test, predicted)

best = mt.Leaderboard.load(workspace, "linear-digits", objective="test:accuracy").best
print(best)
for recorded in best.steps:
    print(f"{recorded.display_name}: {recorded.status}", [output.name for output in recorded.outputs])
print("accuracy by epoch (%):", [round(point.value, 1) for point in best.series()["test:accuracy"]])
