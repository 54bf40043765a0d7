"""The table of API calls is what the library calls, and the policy made from it is one that IAM takes."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import boto3
import numpy as np
import pytest
from botocore import xform_name
from botocore.model import OperationModel
from tests.support.policies import allows, needs_of
from tests.support.toy_job import TOY

import mnist_tracking
from mnist_tracking import (
    BestModelDeployer,
    ExperimentRunner,
    HyperparameterSweep,
    JobSpec,
    LineageTracer,
    ServiceError,
    Workspace,
)
from mnist_tracking._aws.permissions import CALLS, RESOURCES, ROLE_GRANTS, PolicyScope, policy_for, user_grants

ROOT = Path(mnist_tracking.__file__).parent
OPERATIONS = {(call.service, call.operation) for call in CALLS}
MANAGED_POLICY_LIMIT = 6144
ACCOUNT = PolicyScope(
    partition="aws-cn",
    region="cn-north-1",
    account_id="123456789012",
    role="arn:aws-cn:iam::123456789012:role/service-role/jobs",
    bucket="things",
    prefix="team/a",
    kms_key="1234abcd-12ab-34cd-56ef-1234567890ab",
)


Called = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> Called:
    """Every call of the whole workflow: service, operation and parameters, those that were refused too."""
    place = tmp_path_factory.mktemp("policy")
    workspace = Workspace.embedded(place / "home")
    calls: Called = []

    def record(params: dict[str, Any], model: OperationModel, **_: object) -> None:
        calls.append((model.service_model.service_name, model.name, params))

    workspace.boto_session.events.register("before-parameter-build.*.*", record)
    job = JobSpec(entry_point="train.py", source_dir=TOY, metrics={"score": r"score=(\S+?);"}, objective="score")
    whole_workflow(workspace, job, data_below(place))
    interrupted_upload(workspace, job, place / "data")
    workspace.close()
    return calls


def data_below(place: Path) -> Path:
    """Write two files, one of which is large enough to be sent in parts."""
    folder = place / "data"
    folder.mkdir()
    (folder / "rows.csv").write_text("1,2\n")
    (folder / "large.bin").write_bytes(bytes(9 << 20))
    return folder


def test_the_table_of_calls_is_what_the_library_calls(called: Called) -> None:
    """What the whole workflow was seen to call, with the SDKs under it, and what our own source names."""
    assert {(service, operation) for service, operation, _ in called} | set(named_in_source()) == OPERATIONS


def test_all_objects_are_below_the_prefix(called: Called) -> None:
    """So the policy may be limited to it."""
    keys = {params["Key"] for service, _, params in called if service == "s3" and "Key" in params}

    assert {key.split("/")[0] for key in keys} == {"mnist-tracking"}


def test_the_policy_allows_each_call_of_the_workflow(called: Called) -> None:
    """For the names that were sent; that the policy allows nothing else follows from the table of calls."""
    role = "arn:aws:iam::000000000000:role/mnist-tracking-embedded"
    policy = policy_for(embedded_account(role), user_grants())
    needed = {
        (action, role if resource.startswith("role/") else resource)
        for service, operation, params in called
        for action, resource in needs_of(service, operation, params)
    }

    assert [need for need in sorted(needed) if not allows(policy, *need)] == []


def embedded_account(role: str) -> PolicyScope:
    return PolicyScope(
        partition="aws",
        region="us-east-1",
        account_id="000000000000",
        role=role,
        bucket="sagemaker-us-east-1-000000000000",
        prefix="mnist-tracking",
    )


def whole_workflow(workspace: Workspace, job: JobSpec, data: Path) -> None:
    runner = ExperimentRunner(workspace, "lines", description="Fitted lines.", job=job)
    runner.upload_dataset(data, fingerprint="abc", parameters={"rows": 1})
    with runner.step("Evaluation") as step:
        step.log_artifact(data / "rows.csv")
        step.log_metric("rows", 1.0)
    board = HyperparameterSweep(runner, {"slope": [1.0, 8.0]}, max_parallel=2).run()
    board.dataframe("analytics")
    with BestModelDeployer(workspace).deploy(board) as endpoint:
        endpoint.predict(np.array([1.0, 2.0]))
        LineageTracer(workspace).trace(board.best)
    runner.cleanup()


def interrupted_upload(workspace: Workspace, job: JobSpec, data: Path) -> None:
    """An upload in parts that fails is aborted."""

    def fail(**_: object) -> None:
        raise ServiceError("SlowDown", "UploadPart", "not now")

    event = "before-call.s3.UploadPart"
    workspace.client("s3").meta.events.register_first(event, fail)
    with pytest.raises(ServiceError, match="not now"):
        ExperimentRunner(workspace, "again", job=job).upload_dataset(data, fingerprint="def", parameters={})
    workspace.client("s3").meta.events.unregister(event, fail)


def named_in_source() -> Iterator[tuple[str, str]]:
    """Yield the operations of the table's services that our own code names, as a method or to a paginator."""
    methods = dict(operations_by_method())
    for path in ROOT.rglob("*.py"):
        if path.relative_to(ROOT).parts[0] not in ("embedded", "training"):
            for name in names_in(ast.parse(path.read_text(encoding="utf-8"))):
                if name in methods:
                    yield methods[name]


def operations_by_method() -> Iterator[tuple[str, tuple[str, str]]]:
    session = boto3.Session(region_name="us-east-1")
    for service in {call.service for call in CALLS}:
        client: Any = session.client(service)  # type: ignore[call-overload]
        for operation in client.meta.service_model.operation_names:
            yield xform_name(operation), (service, operation)


def names_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_paginator":
            yield ast.literal_eval(node.args[0])


def test_no_call_is_listed_twice() -> None:
    assert len(CALLS) == len(OPERATIONS)


@pytest.mark.parametrize("service", sorted({call.service for call in CALLS}))
def test_every_operation_of_the_table_exists(service: str) -> None:
    client: Any = boto3.Session(region_name="us-east-1").client(service)  # type: ignore[call-overload]

    assert {of for in_, of in OPERATIONS if in_ == service} <= set(client.meta.service_model.operation_names)


def test_policy_has_the_form_that_iam_takes() -> None:
    """The grammar of a managed policy: version, identifiers of letters and digits, and at most 6,144 characters."""
    policy: Any = policy_for(ACCOUNT, user_grants())

    assert policy["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in policy["Statement"]]
    assert len(set(sids)) == len(sids)
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
    actions = [action for statement in policy["Statement"] for action in statement["Action"]]
    assert all(re.fullmatch(r"[a-z0-9]+:[A-Za-z]+", action) for action in actions)
    assert len(json.dumps(policy, separators=(",", ":"))) < MANAGED_POLICY_LIMIT


def test_every_permission_of_the_table_is_in_the_policy() -> None:
    policy: Any = policy_for(ACCOUNT, user_grants())
    allowed = {
        (action, resource)
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }

    assert {(grant.action, ACCOUNT.arn(grant.resource)) for call in CALLS for grant in call.grants} <= allowed


def test_policy_is_limited_to_the_account_the_region_the_prefix_and_the_role() -> None:
    policy: Any = policy_for(ACCOUNT, user_grants())
    by_sid = {statement["Sid"]: statement for statement in policy["Statement"]}

    assert by_sid["Objects"]["Resource"] == ["arn:aws-cn:s3:::things/team/a/*"]
    assert by_sid["Bucket"]["Resource"] == ["arn:aws-cn:s3:::things"]
    assert all("sagemaker:cn-north-1:123456789012:" in arn for arn in by_sid["SageMaker"]["Resource"])
    assert by_sid["PassRole"] == {
        "Sid": "PassRole",
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": [ACCOUNT.role],
        "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    }
    anywhere = {action for s in policy["Statement"] if s["Resource"] == ["*"] for action in s["Action"]}
    assert all(re.search(r":(List\w+|Search)$", action) for action in anywhere)


def test_the_policy_allows_the_key_that_there_is() -> None:
    by_sid = {statement["Sid"]: statement for statement in statements_of(ACCOUNT)}
    arn = f"arn:aws-cn:kms:cn-north-1:123456789012:key/{ACCOUNT.kms_key}"

    assert by_sid["Key"]["Resource"] == [arn]
    assert attrs.evolve(ACCOUNT, kms_key=arn).arn("key") == arn
    assert "kms:" not in json.dumps(statements_of(attrs.evolve(ACCOUNT, kms_key=None)))


def statements_of(account: PolicyScope) -> Any:
    return policy_for(account, user_grants())["Statement"]


def test_without_a_prefix_the_policy_is_limited_to_the_bucket() -> None:
    account = PolicyScope(
        partition="aws", region="us-east-1", account_id="1" * 12, role="r", bucket="things", prefix=""
    )

    assert account.arn("object") == "arn:aws:s3:::things/*"


def test_every_kind_of_resource_is_used() -> None:
    users = {grant.resource for grant in user_grants()}
    roles = {grant.resource for grant in ROLE_GRANTS}

    assert users | roles == set(RESOURCES)


def test_the_role_may_do_what_a_job_calls() -> None:
    """A script has no other way to SageMaker than `mnist_tracking.job`; SageMaker itself does the rest for the job."""
    methods = {method: operation for method, (service, operation) in operations_by_method() if service == "sagemaker"}
    source = ast.parse((ROOT / "job.py").read_text(encoding="utf-8"))
    called = {f"sagemaker:{methods[name]}" for name in names_in(source) if name in methods}

    assert called == {grant.action for grant in ROLE_GRANTS if grant.action.startswith("sagemaker:")}
    assert not any(name.startswith(("put_object", "upload_")) for name in names_in(source))


def test_the_role_may_read_and_write_what_its_jobs_and_models_name(called: Called) -> None:
    """All that is in S3 and in the requests that SageMaker carries out under the role."""
    role = "arn:aws:iam::000000000000:role/mnist-tracking-embedded"
    policy = policy_for(embedded_account(role), ROLE_GRANTS)
    requests = [params for _, operation, params in called if operation in ("CreateTrainingJob", "CreateModel")]
    uris = sorted(uri for request in requests for uri in uris_in(request))

    assert {"sourcedir.tar.gz", "model.tar.gz", "jobs"} <= {uri.rpartition("/")[2] for uri in uris}
    for uri in uris:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        assert allows(policy, "s3:ListBucket", f"arn:aws:s3:::{bucket}")
        for action in ("s3:GetObject", "s3:PutObject"):
            assert allows(policy, action, f"arn:aws:s3:::{bucket}/{key.rstrip('/')}/file")


def uris_in(value: object) -> Iterator[str]:
    """Yield the S3 URIs in a request, those in JSON strings too."""
    match value:
        case str():
            yield from re.findall(r's3://[^"\s#]+', value)
        case dict():
            for item in value.values():
                yield from uris_in(item)
        case list():
            for item in value:
                yield from uris_in(item)


@pytest.mark.parametrize(
    ("kms_key", "is_in_vpc", "more"),
    [(None, False, set()), (ACCOUNT.kms_key, False, {"Key"}), (None, True, {"Network"})],
)
def test_the_role_gets_the_key_and_the_network_that_are_set(
    kms_key: str | None, is_in_vpc: bool, more: set[str]
) -> None:
    scope = attrs.evolve(ACCOUNT, kms_key=kms_key, is_in_vpc=is_in_vpc)
    policy: Any = policy_for(scope, ROLE_GRANTS)

    assert {statement["Sid"] for statement in policy["Statement"]} - more == {
        *("Bucket", "Images", "Logs", "Objects", "RegistryAndMetrics", "SageMaker")
    }
    anywhere = {action for s in policy["Statement"] if s["Resource"] == ["*"] for action in s["Action"]}
    assert {action.partition(":")[0] for action in anywhere} == {"cloudwatch", "ecr", *(["ec2"] if is_in_vpc else [])}
    assert len(json.dumps(policy, separators=(",", ":"))) < MANAGED_POLICY_LIMIT
