"""The doctor on what may be done: the role's trust, PassRole, and IAM's simulator."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.diagnoses import Answer, Answering, one
from tests.support.policies import enforce

from mnist_tracking.upkeep.doctor import Check, diagnose, minimal_policy
from mnist_tracking.upkeep.doctor.readiness import trusts_sagemaker

TRUST = {
    "Statement": {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
}
ROLE = "arn:aws:iam::000000000000:role/mnist-tracking-embedded"


ALLOWED: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]},
    "Action": ["sts:AssumeRole", "sts:TagSession"],
}


def denying(*actions: str) -> Answer:
    """Answers as IAM's simulator does when only some actions are denied."""

    def answer(body: Mapping[str, str]) -> dict[str, Any]:
        asked = [value for key, value in body.items() if key.startswith("ActionNames.member.")]
        decisions = [
            {"EvalActionName": action, "EvalDecision": "implicitDeny" if action in actions else "allowed"}
            for action in asked
        ]
        return {"EvaluationResults": decisions, "IsTruncated": False}

    return answer


def forbidden(_: Mapping[str, str]) -> dict[str, Any]:
    return {"Error": {"Code": "AccessDenied", "Message": "You are not authorized."}}


@pytest.mark.parametrize(
    ("statements", "may"),
    [
        ([ALLOWED], True),
        (ALLOWED, True),
        ([{**ALLOWED, "Action": "sts:AssumeRole"}], True),
        ([{**ALLOWED, "Effect": "Deny"}], False),
        ([{**ALLOWED, "Principal": {"Service": "ec2.amazonaws.com"}}], False),
        ([{**ALLOWED, "Action": "sts:TagSession"}], False),
        ([], False),
    ],
)
def test_trust_is_read_from_the_policy(statements: Any, *, may: bool) -> None:
    assert trusts_sagemaker({"Version": "2012-10-17", "Statement": statements}) is may


def test_a_role_that_does_not_trust_sagemaker_is_a_problem(answering: Answering) -> None:
    trust = quote(json.dumps({"Statement": [{**ALLOWED, "Principal": {"Service": "ec2.amazonaws.com"}}]}))
    role = {"Role": {"Arn": ROLE, "AssumeRolePolicyDocument": trust}}

    check = one(answering({"iam.GetRole": lambda _: role}), "trust")

    assert check.outcome == "problem"
    assert "sagemaker.amazonaws.com" in check.remedy


def test_pass_role_is_asked_for_sagemaker(answering: Answering) -> None:
    asked: list[Mapping[str, str]] = []

    def answer(body: Mapping[str, str]) -> dict[str, Any]:
        asked.append(body)
        return denying("iam:PassRole")(body)

    check = one(answering({"iam.SimulatePrincipalPolicy": answer}), "PassRole")

    assert check.outcome == "problem"
    about = next(body for body in asked if "iam:PassRole" in body.values())
    assert {ROLE, "iam:PassedToService", "sagemaker.amazonaws.com"} <= set(about.values())


def calling_as(arn: str) -> Answer:
    return lambda _: {"Account": "000000000000", "UserId": "A", "Arn": arn}


def test_the_policies_of_a_user_are_asked_for(answering: Answering) -> None:
    user = "arn:aws:iam::000000000000:user/team/ann"
    asked: set[str] = set()

    def answer(body: Mapping[str, str]) -> dict[str, Any]:
        asked.add(body["PolicySourceArn"])
        return denying()(body)

    workspace = answering({"sts.GetCallerIdentity": calling_as(user), "iam.SimulatePrincipalPolicy": answer}, role=ROLE)

    assert one(workspace, "PassRole").outcome == "ok"
    assert asked == {user}


def test_an_assumed_role_can_use_the_doctor_under_the_policy_that_it_prints(answering: Answering) -> None:
    """Its ARN lacks the path of the role, which only GetRole returns: the policy must allow that for the caller."""
    caller, key = "arn:aws:iam::000000000000:role/team/analyst", "1234abcd-12ab-34cd-56ef-1234567890ab"
    roles = {"analyst": caller, "jobs": "arn:aws:iam::000000000000:role/service-role/jobs"}
    key_arn = f"arn:aws:kms:us-east-1:000000000000:key/{key}"
    simulated: set[str] = set()

    def simulate(body: Mapping[str, str]) -> dict[str, Any]:
        simulated.add(body["PolicySourceArn"])
        return denying()(body)

    def get_role(body: Mapping[str, str]) -> dict[str, Any]:
        return {"Role": {"Arn": roles[body["RoleName"]], "AssumeRolePolicyDocument": quote(json.dumps(TRUST))}}

    answers = {
        "sts.GetCallerIdentity": calling_as("arn:aws:sts::000000000000:assumed-role/analyst/ann"),
        "iam.GetRole": get_role,
        "iam.SimulatePrincipalPolicy": simulate,
        "kms.DescribeKey": lambda _: {"KeyMetadata": {"KeyId": key, "KeyState": "Enabled"}},
        "service-quotas.ListServiceQuotas": lambda _: {"Quotas": []},
    }
    workspace = answering(answers, role=roles["jobs"], kms_key=key_arn)
    enforce(workspace, minimal_policy(workspace), roles)
    outcomes = {check.name: check.outcome for check in diagnose(workspace).checks}

    assert "skipped" not in outcomes.values()
    assert "problem" not in outcomes.values()
    assert simulated == {caller}


def test_missing_iam_permissions_are_reported(answering: Answering) -> None:
    """Without the statements that only the doctor needs, it skips what it cannot check."""
    workspace = answering(
        {"sts.GetCallerIdentity": calling_as("arn:aws:sts::000000000000:assumed-role/analyst/ann")}, role=ROLE
    )
    policy: Any = minimal_policy(workspace)
    policy["Statement"] = [one for one in policy["Statement"] if not one["Sid"].startswith("Doctor")]
    enforce(workspace, policy, {"analyst": "arn:aws:iam::000000000000:role/analyst", "mnist-tracking-embedded": ROLE})
    skipped = {check.name: check.detail for check in diagnose(workspace).checks if check.outcome == "skipped"}

    assert skipped == {
        "PassRole": "No permission for GetRole.",
        "permissions": "No permission for GetRole.",
        "quotas": "No permission for ListServiceQuotas.",
        "running jobs": "No permission for ListTrainingJobs.",
    }


def test_the_root_user_is_not_simulated(answering: Answering) -> None:
    root = {"sts.GetCallerIdentity": calling_as("arn:aws:iam::000000000000:root")}

    assert one(answering(root, role=ROLE), "permissions").outcome == "skipped"


def test_permissions_that_are_denied_are_named(answering: Answering) -> None:
    workspace = answering({"iam.SimulatePrincipalPolicy": denying("sagemaker:Search", "s3:PutObject")})

    assert one(workspace, "permissions") == Check(
        "permissions",
        "warning",
        "IAM's simulator denies s3:PutObject, sagemaker:Search.",
        "mnist-tracking doctor --print-policy prints what is needed.",
    )
    assert one(workspace, "PassRole").outcome == "ok"


def test_what_may_not_be_asked_is_skipped(answering: Answering) -> None:
    workspace = answering({"iam.GetRole": forbidden, "sagemaker.ListEndpoints": forbidden}, role=ROLE)
    outcomes = {check.name: check for check in diagnose(workspace).checks}

    assert outcomes["trust"] == Check("trust", "skipped", "No permission for GetRole.")
    assert outcomes["endpoints"] == Check("endpoints", "skipped", "No permission for ListEndpoints.")
    assert outcomes["running jobs"].outcome == "ok"
