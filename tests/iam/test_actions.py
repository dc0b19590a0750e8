"""The action tables against what botocore says of every S3 operation."""

import re

import botocore.session
import pytest

from neve.iam.actions import ACTIONS, OPERATIONS, more_actions

MODEL = (
    botocore.session.get_session()
    .get_component("data_loader")
    .load_service_model("s3", "service-2")
)
OPERATION_MODELS = MODEL["operations"]


def test_every_operation_of_boto3_has_a_permission() -> None:
    assert set(OPERATIONS) == set(OPERATION_MODELS) | {"PostObject"}


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_permissions_name_known_actions_with_their_target(operation: str) -> None:
    permission = OPERATIONS[operation]
    assert ACTIONS[permission.action] == permission.target
    if permission.versioned:
        assert ACTIONS[permission.versioned] == permission.target
    if permission.source:
        assert ACTIONS[permission.source] == "object"


@pytest.mark.parametrize("operation", sorted(OPERATION_MODELS))
def test_permission_is_among_those_that_the_api_reference_names(operation: str) -> None:
    text = OPERATION_MODELS[operation].get("documentation", "")
    named = set(re.findall(r"s3:[A-Z][A-Za-z]+", text))
    if named:
        assert OPERATIONS[operation].action in named


@pytest.mark.parametrize("operation", sorted(OPERATION_MODELS))
def test_target_is_that_of_the_address(operation: str) -> None:
    path = OPERATION_MODELS[operation]["http"]["requestUri"]
    target = "object" if "{Key+}" in path else "bucket" if "{Bucket}" in path else "service"
    if operation == "DeleteObjects":
        target = "object"  # asked for every key of its body
    if operation != "WriteGetObjectResponse":
        assert OPERATIONS[operation].target == target


def test_version_id_asks_for_the_version_action() -> None:
    assert OPERATIONS["GetObject"].versioned == "s3:GetObjectVersion"
    assert OPERATIONS["DeleteObject"].versioned == "s3:DeleteObjectVersion"
    assert OPERATIONS["PutObject"].versioned == ""


def test_head_is_allowed_where_get_is() -> None:
    assert OPERATIONS["HeadObject"] == OPERATIONS["GetObject"]


def test_headers_that_need_more() -> None:
    headers = {
        b"x-amz-tagging": b"a=b",
        b"x-amz-object-lock-mode": b"GOVERNANCE",
        b"x-amz-object-lock-retain-until-date": b"2030-01-01T00:00:00Z",
        b"x-amz-object-lock-legal-hold": b"ON",
    }
    needed = ("s3:PutObjectTagging", "s3:PutObjectRetention", "s3:PutObjectLegalHold")
    assert more_actions("PutObject", headers, False) == needed
    assert set(needed) <= set(ACTIONS)
    assert more_actions("GetObject", headers, False) == ()
    assert more_actions("GetObjectAttributes", {}, False) == ("s3:GetObject",)
    assert more_actions("GetObjectAttributes", {}, True) == ("s3:GetObjectVersion",)
