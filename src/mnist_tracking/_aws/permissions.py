"""
The API operations that this library calls, and the permissions that each needs; and those of the jobs' role.

These tables are the source of the policies that `mnist-tracking doctor --print-policy` prints, and of the permissions
that the doctor checks. A test runs the whole workflow, reads the source code, and compares both with the table.
The actions, and the resources that they can be limited to, are those of AWS's Service Authorization Reference,
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsagemaker.html and its siblings; the
permissions for keys are in https://docs.aws.amazon.com/sagemaker/latest/dg/api-permissions-reference.html.
"""

from collections.abc import Iterable, Iterator, Mapping

import attrs


@attrs.frozen
class Grant:
    """
    Permission for one action.

    Attributes:
        action: Such as ``"s3:GetObject"``.
        resource: The resource it is limited to, a key of `RESOURCES`.
    """

    action: str
    resource: str


@attrs.frozen
class ApiCall:
    """
    One API operation.

    Attributes:
        service: boto3's name of the service, such as ``"sagemaker-metrics"``.
        operation: Such as ``"BatchPutMetrics"``.
        grants: The permissions that it needs; empty if it needs none.
    """

    service: str
    operation: str
    grants: tuple[Grant, ...] = ()


ANY = "*"
"""The resource of actions that cannot be limited to a resource."""

RESOURCES = {
    "experiment": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:experiment/*"),
    "experiment-trial": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:experiment-trial/*"),
    "experiment-trial-component": (
        "SageMaker",
        "arn:{partition}:sagemaker:{region}:{account}:experiment-trial-component/*",
    ),
    "artifact": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:artifact/*"),
    "training-job": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:training-job/*"),
    "model": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:model/*"),
    "endpoint-config": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:endpoint-config/*"),
    "endpoint": ("SageMaker", "arn:{partition}:sagemaker:{region}:{account}:endpoint/*"),
    "log": ("Logs", "arn:{partition}:logs:{region}:{account}:log-group:/aws/sagemaker/TrainingJobs:*"),
    "endpoint log": ("Logs", "arn:{partition}:logs:{region}:{account}:log-group:/aws/sagemaker/Endpoints/*"),
    "bucket": ("Bucket", "arn:{partition}:s3:::{bucket}"),
    "new bucket": ("CreateBucket", "arn:{partition}:s3:::{bucket}"),
    "object": ("Objects", "arn:{partition}:s3:::{objects}"),
    "key": ("Key", "{key}"),
    "role": ("Role", "{role}"),
    "passed role": ("PassRole", "{role}"),
    ANY: ("ListAndSearch", "*"),
    "doctor": ("DoctorLists", "*"),
    "principal": ("DoctorSimulates", "arn:{partition}:iam::{account}:*"),
    "image": ("Images", "arn:{partition}:ecr:{region}:*:repository/*"),  # AWS's own are in its accounts
    "registry": ("RegistryAndMetrics", "*"),
    "network": ("Network", "*"),
}
"""
The policy statement and the ARN pattern of each kind of resource.

Permissions that only the doctor needs are in separate statements, which may be left out: it then skips those checks.
A policy has a statement for the key only if there is a key, and one for the network only if there are subnets.
"""


def _sagemaker(
    operation: str, *resources: str, tagged: bool = False, passes_role: bool = False, encrypts: bool = False
) -> ApiCall:
    """Describe an operation whose action has the same name; tags, a role or a key need an additional action."""
    grants = [Grant(f"sagemaker:{operation}", resource) for resource in resources]
    grants += [Grant("sagemaker:AddTags", resource) for resource in resources if tagged]
    grants += [Grant("iam:PassRole", "passed role")] if passes_role else []
    grants += [Grant("kms:CreateGrant", "key")] if encrypts else []
    return ApiCall("sagemaker", operation, tuple(grants))


def _s3(action: str, resource: str, *operations: str, with_key: str | None = None) -> Iterator[ApiCall]:
    grants = (Grant(f"s3:{action}", resource), *((Grant(with_key, "key"),) if with_key else ()))
    for operation in operations:
        yield ApiCall("s3", operation, grants)


def _logs(*operations: str) -> Iterator[ApiCall]:
    for operation in operations:
        action = f"logs:{operation}"
        yield ApiCall("logs", operation, (Grant(action, "log"), Grant(action, "endpoint log")))


_TRACKED = (
    *("experiment", "experiment-trial", "experiment-trial-component", "artifact"),
    *("training-job", "model", "endpoint"),
)

CALLS = (
    ApiCall("sts", "GetCallerIdentity"),
    ApiCall("iam", "GetRole", (Grant("iam:GetRole", "role"), Grant("iam:GetRole", "principal"))),
    _sagemaker("CreateExperiment", "experiment", tagged=True),
    _sagemaker("DescribeExperiment", "experiment"),
    _sagemaker("DeleteExperiment", "experiment"),
    _sagemaker("CreateTrial", "experiment-trial", "experiment", tagged=True),
    _sagemaker("DescribeTrial", "experiment-trial"),
    _sagemaker("DeleteTrial", "experiment-trial"),
    _sagemaker("CreateTrialComponent", "experiment-trial-component", tagged=True),
    _sagemaker("DescribeTrialComponent", "experiment-trial-component"),
    _sagemaker("UpdateTrialComponent", "experiment-trial-component"),
    _sagemaker("DeleteTrialComponent", "experiment-trial-component"),
    _sagemaker("AssociateTrialComponent", "experiment-trial-component", "experiment-trial"),
    _sagemaker("DisassociateTrialComponent", "experiment-trial-component", "experiment-trial"),
    _sagemaker("CreateArtifact", "artifact", tagged=True),
    _sagemaker("DeleteArtifact", "artifact"),
    _sagemaker("AddAssociation", "artifact", "experiment-trial-component"),
    _sagemaker("DeleteAssociation", "artifact", "experiment-trial-component"),
    _sagemaker("CreateTrainingJob", "training-job", tagged=True, passes_role=True, encrypts=True),
    _sagemaker("DescribeTrainingJob", "training-job"),
    _sagemaker("StopTrainingJob", "training-job"),
    _sagemaker("CreateModel", "model", tagged=True, passes_role=True),
    _sagemaker("DescribeModel", "model"),
    _sagemaker("DeleteModel", "model"),
    _sagemaker("CreateEndpointConfig", "endpoint-config", tagged=True),
    _sagemaker("DescribeEndpointConfig", "endpoint-config"),
    _sagemaker("DeleteEndpointConfig", "endpoint-config"),
    _sagemaker("CreateEndpoint", "endpoint", "endpoint-config", tagged=True, encrypts=True),
    _sagemaker("DescribeEndpoint", "endpoint"),
    _sagemaker("DeleteEndpoint", "endpoint"),
    _sagemaker("ListTags", *_TRACKED, "endpoint-config"),
    _sagemaker("AddTags", "experiment", "experiment-trial-component"),
    _sagemaker("ListExperiments", ANY),
    _sagemaker("ListTrials", ANY),
    _sagemaker("ListTrialComponents", ANY),
    _sagemaker("ListArtifacts", ANY),
    _sagemaker("ListAssociations", ANY),
    _sagemaker("ListModels", ANY),
    _sagemaker("ListTrainingJobs", "doctor"),
    _sagemaker("ListEndpoints", ANY),
    _sagemaker("Search", ANY),
    ApiCall("sagemaker-runtime", "InvokeEndpoint", (Grant("sagemaker:InvokeEndpoint", "endpoint"),)),
    ApiCall(
        "sagemaker-metrics",
        "BatchPutMetrics",
        (Grant("sagemaker:BatchPutMetrics", "experiment-trial-component"),),
    ),
    ApiCall(
        "sagemaker-metrics",
        "BatchGetMetrics",
        (
            Grant("sagemaker:BatchGetMetrics", "experiment-trial-component"),
            Grant("sagemaker:BatchGetMetrics", "training-job"),
        ),
    ),
    *_logs("DescribeLogStreams", "GetLogEvents"),
    *_s3("CreateBucket", "new bucket", "CreateBucket"),
    *_s3("ListBucket", "bucket", "HeadBucket", "ListObjectsV2"),
    *_s3("ListBucketMultipartUploads", "bucket", "ListMultipartUploads"),
    *_s3("GetObject", "object", "HeadObject", "GetObject", with_key="kms:Decrypt"),
    *_s3(
        "PutObject",
        "object",
        "PutObject",
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        with_key="kms:GenerateDataKey",
    ),
    *_s3("AbortMultipartUpload", "object", "AbortMultipartUpload"),
    *_s3("DeleteObject", "object", "DeleteObject", "DeleteObjects"),
    ApiCall("kms", "DescribeKey", (Grant("kms:DescribeKey", "key"),)),
    ApiCall("service-quotas", "ListServiceQuotas", (Grant("servicequotas:ListServiceQuotas", "doctor"),)),
    ApiCall("iam", "SimulatePrincipalPolicy", (Grant("iam:SimulatePrincipalPolicy", "principal"),)),
)
"""The operations that this library and the SDKs call."""

ROLE_GRANTS = (
    *(Grant(f"s3:{action}", "object") for action in ("GetObject", "PutObject")),
    Grant("s3:ListBucket", "bucket"),
    *(
        Grant(f"logs:{action}", resource)
        for action in ("CreateLogGroup", "CreateLogStream", "DescribeLogStreams", "PutLogEvents")
        for resource in ("log", "endpoint log")
    ),
    Grant("cloudwatch:PutMetricData", "registry"),
    Grant("ecr:GetAuthorizationToken", "registry"),
    *(
        Grant(f"ecr:{action}", "image")
        for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    ),
    *(Grant(f"kms:{action}", "key") for action in ("CreateGrant", "Decrypt", "Encrypt", "GenerateDataKey")),
    *(
        Grant(f"ec2:{action}", "network")
        for action in (
            "CreateNetworkInterface",
            "CreateNetworkInterfacePermission",
            "DeleteNetworkInterface",
            "DeleteNetworkInterfacePermission",
            "DescribeDhcpOptions",
            "DescribeNetworkInterfaces",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeVpcs",
        )
    ),
    Grant("sagemaker:UpdateTrialComponent", "experiment-trial-component"),
)
"""
What the role of jobs and models needs: for SageMaker, which runs their containers, and for `mnist_tracking.job`.

All but the last line is from https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html; that is what job.py
calls.
"""

_CONDITIONS = {"PassRole": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}}


@attrs.frozen(kw_only=True)
class PolicyScope:
    """
    The parts of the ARNs in a policy.

    Attributes:
        partition: ``"aws"``, or another partition, such as ``"aws-cn"``.
        region: The region.
        account_id: The account ID, twelve digits.
        role: The ARN of the role that jobs run under.
        bucket: The name of the bucket.
        prefix: The prefix of all keys in the bucket; may be empty.
        kms_key: The ID or the ARN of the key that everything is encrypted with; None without encryption.
        is_in_vpc: Whether jobs and models run in subnets of the account.
    """

    partition: str
    region: str
    account_id: str
    role: str
    bucket: str
    prefix: str
    kms_key: str | None = None
    is_in_vpc: bool = False

    def arn(self, resource: str) -> str:
        """Return the ARN pattern of a kind of resource."""
        return RESOURCES[resource][1].format(
            partition=self.partition,
            region=self.region,
            account=self.account_id,
            role=self.role,
            bucket=self.bucket,
            objects="/".join(part for part in (self.bucket, self.prefix, "*") if part),
            key=self._key_arn(),
        )

    def _key_arn(self) -> str | None:
        if self.kms_key is None or self.kms_key.startswith("arn:"):
            return self.kms_key
        return f"arn:{self.partition}:kms:{self.region}:{self.account_id}:key/{self.kms_key}"


def policy_for(scope: PolicyScope, grants: Iterable[Grant]) -> dict[str, object]:
    """
    Return the policy with some permissions, ready for `json.dumps`.

    A statement allows each of its actions on each of its resources. That grants no more than the table of calls, since
    an action has no effect on resources of other kinds.
    """
    unused = {"key"} if scope.kms_key is None else set()
    unused |= set() if scope.is_in_vpc else {"network"}
    statements: dict[str, list[Grant]] = {}
    for grant in grants:
        if grant.resource not in unused:
            statements.setdefault(RESOURCES[grant.resource][0], []).append(grant)
    return {
        "Version": "2012-10-17",
        "Statement": [_statement(sid, grants, scope) for sid, grants in statements.items()],
    }


def user_grants() -> Iterator[Grant]:
    """Yield every permission that a user of this library needs, once each, in the order of `RESOURCES`."""
    needed = dict.fromkeys(grant for call in CALLS for grant in call.grants)
    order = list(RESOURCES)
    yield from sorted(needed, key=lambda grant: (order.index(grant.resource), grant.action))


def _statement(sid: str, grants: list[Grant], scope: PolicyScope) -> Mapping[str, object]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": sorted({grant.action for grant in grants}),
        "Resource": list(dict.fromkeys(scope.arn(grant.resource) for grant in grants)),
        **({"Condition": _CONDITIONS[sid]} if sid in _CONDITIONS else {}),
    }
