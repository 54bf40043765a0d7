"""
What the embedded SageMaker's store adds to a call of boto3: writes, against the same calls with an empty handler.

Both go through the same client: botocore's own work, which AWS would need too, is most of either. The calls alternate,
so that what else the machine does affects both alike. CPU time, of all threads of this process.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.embedded.registry import OPERATIONS, Handler

ROUNDS = 300  # as many trials as an experiment may have
LIMIT = 1.6


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        engine = EmbeddedSageMaker(home)
        client = engine.session().client("sagemaker")
        client.create_experiment(ExperimentName="calls")
        arn = "arn:aws:sagemaker:us-east-1:000000000000:experiment-trial/store-0"
        _compare(
            "CreateTrial", lambda name: client.create_trial(TrialName=name, ExperimentName="calls"), {"TrialArn": arn}
        )
        tags: list[Any] = [{"Key": f"key-{number}", "Value": "value"} for number in range(3)]
        _compare("AddTags", lambda _: client.add_tags(ResourceArn=arn, Tags=tags), {"Tags": tags})
        engine.close()


def _compare(operation: str, call: Callable[[str], Any], response: dict[str, Any]) -> None:
    key = ("sagemaker", operation)
    handler: Handler = OPERATIONS[key]
    times: dict[str, list[float]] = {"store": [], "empty": []}
    try:
        for number in range(ROUNDS):
            for kind, used in (("store", handler), ("empty", lambda _: dict(response))):
                OPERATIONS[key] = used
                begun = time.process_time()
                call(f"{kind}-{number}")
                times[kind].append(time.process_time() - begun)
    finally:
        OPERATIONS[key] = handler
    store, empty = (statistics.median(times[kind]) for kind in ("store", "empty"))
    print(
        f"{operation}: {store * 1000:.2f} ms, {store / empty:.2f} times as long as with an empty handler "
        f"(median CPU time of {ROUNDS}; target: at most {LIMIT})"
    )


if __name__ == "__main__":
    main()
