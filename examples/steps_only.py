"""No job at all: cleaning, training and evaluation in this program, each a step of its trial; and read back."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

import mnist_tracking as mt

workspace = mt.Workspace.from_env()
runner = mt.ExperimentRunner(workspace, "digits-by-lines", description="How much regularisation?")

with runner.step("Preprocessing") as step:  # without a trial: it belongs to all that follow
    images, labels = load_digits(return_X_y=True)
    seen = images.max(axis=0) > 0
    step.log_parameters({"pixels": int(seen.sum()), "dropped": int((~seen).sum()), "seed": 1})
x, x_test, y, y_test = train_test_split(images[:, seen], labels, random_state=1)

for alpha in (0.001, 1.0):
    with runner.trial({"alpha": alpha}) as trial:
        model = SGDClassifier(alpha=alpha, random_state=1)
        for epoch in range(5):
            model.partial_fit(x, y, classes=range(10))
            trial.log_metric("test:accuracy", model.score(x_test, y_test), step=epoch)
    with runner.step("Evaluation", trial=trial.name) as step:
        answers = model.predict(x_test)
        wrong = answers != y_test
        step.log_table({"item": wrong.nonzero()[0], "is": y_test[wrong], "taken for": answers[wrong]}, name="errors")
        step.log_confusion_matrix(y_test, answers)

best = mt.Leaderboard.load(workspace, "digits-by-lines", objective="test:accuracy").best
read = workspace.trial(best.name)
print(read)
print("accuracy by epoch:", [round(point.value, 3) for point in read.series()["test:accuracy"]])
