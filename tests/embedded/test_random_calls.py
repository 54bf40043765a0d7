"""Random calls get answers of AWS's, and nothing else."""

import json
import logging
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from tests.support.random_calls import RandomCalls, quotas_of_nothing

from mnist_tracking.embedded import EmbeddedSageMaker
from mnist_tracking.embedded.registry import OPERATIONS
from mnist_tracking.errors import UnsupportedOperationError

ROUNDS = 27  # of each operation, with and without validation: 4,000 calls


def call(client: Any, operation: str, params: dict[str, Any]) -> str:
    """Make a call, and return what came of it."""
    try:
        getattr(client, xform_name(operation))(**params)
    except ParamValidationError:
        return "ParamValidationError"
    except UnsupportedOperationError:
        return "UnsupportedOperationError"
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        return f"{code} {error.__cause__!r}" if code == "InternalFailure" else code
    return "answered"


def test_random_calls_get_answers_of_aws(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = EmbeddedSageMaker(tmp_path / "home", quotas=quotas_of_nothing())
    session = engine.session()
    came, wrong = Counter[str](), []
    total = 0
    for is_checked in (True, False):
        calls = RandomCalls(9, 0.3)
        clients = {
            service: session.client(service, config=Config(parameter_validation=is_checked, retries={"max_attempts": 0}))
            for service, _ in OPERATIONS
        }
        for _ in range(ROUNDS):
            for service, operation in OPERATIONS:
                params = calls.params(service, operation)
                total += 1
                try:
                    outcome = call(clients[service], operation, params)
                    came[outcome] += 1
                    if outcome.startswith("Internal"):
                        wrong.append((service, operation, is_checked, outcome, params))
                except BaseException as error:
                    wrong.append((service, operation, is_checked, repr(error)[:150], type(error).__name__, params))
    print(total, len(wrong), came)
    kinds = Counter((w[0], w[1], w[2], w[3]) for w in wrong)
    for k, n in kinds.most_common(150):
        print(n, k)
    print(Counter(w[4] if isinstance(w[4], str) else "IF" for w in wrong))
    engine.close()
    assert not wrong
