"""Terraform manages mappings of the poller as it does on AWS."""

from typing import Any

import pytest

from tests.aws.control import endpoint, lambda_client
from tests.aws.running import Run
from tests.aws.terraform import Terraform, need_terraform
from tests.conftest import Moto

CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "AKIDTEST"
  secret_key                  = "secret"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints { lambda = var.endpoint }
}
variable "endpoint" {}
variable "queue" {}
variable "stream" {}
variable "batch_size" { default = 5 }
variable "concurrency" { default = 5 }
variable "function" { default = "f" }
resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn        = var.queue
  function_name           = var.function
  batch_size              = var.batch_size
  function_response_types = ["ReportBatchItemFailures"]
  dynamic "scaling_config" {
    for_each = var.concurrency > 0 ? [1] : []
    content { maximum_concurrency = var.concurrency }
  }
  filter_criteria {
    filter { pattern = jsonencode({ body = { a = [1] } }) }
  }
  tags = { team = "a", size = var.batch_size }
}
resource "aws_lambda_event_source_mapping" "stream" {
  event_source_arn                   = var.stream
  function_name                      = var.function
  starting_position                  = "TRIM_HORIZON"
  maximum_retry_attempts             = 3
  bisect_batch_on_function_error     = true
  maximum_batching_window_in_seconds = 1
}
"""
WITHOUT_ASKING = ("-auto-approve", "-input=false")
FUNCTIONS = {name: {"handler": "app:keep", "timeout": 10} for name in ("f", "g")}


@pytest.mark.timeout(400)
def test_plan_apply_change_empty_plan_and_destroy(moto: Moto, run: Run) -> None:
    """The whole life of two mappings; a plan right after an apply finds nothing to do."""
    mirror = need_terraform()
    _, queue = moto.queue()
    _, stream = moto.stream(1)
    run.api = "127.0.0.1:0"
    run.write_file(FUNCTIONS, [])
    run.start()
    url = endpoint(run)
    client = lambda_client(url)
    given = {"endpoint": url, "queue": queue, "stream": stream}

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.list_event_source_mappings()["EventSourceMappings"]
        return found

    terraform = Terraform(run.folder / "terraform", mirror, CONFIGURATION)
    terraform.run("init", "-input=false")

    applied = terraform.run("apply", *WITHOUT_ASKING, variables=given)
    made = {each["EventSourceArn"]: each for each in listed()}
    nothing = terraform.run("plan", "-input=false", "-detailed-exitcode", variables=given)

    changed = {**given, "batch_size": 8, "concurrency": 0, "function": "g"}
    updated = terraform.run("apply", *WITHOUT_ASKING, variables=changed)
    after = {each["EventSourceArn"]: each for each in listed()}
    tags = client.list_tags(Resource=after[queue]["EventSourceMappingArn"])["Tags"]
    nothing_again = terraform.run("plan", "-input=false", "-detailed-exitcode", variables=changed)

    destroyed = terraform.run("destroy", *WITHOUT_ASKING, variables=changed)

    assert "2 to add, 0 to change, 0 to destroy" in applied
    assert [made[arn]["State"] for arn in (queue, stream)] == ["Enabled", "Enabled"]
    assert "0 to add, 2 to change, 0 to destroy" in updated
    assert (after[queue]["BatchSize"], "ScalingConfig" in after[queue]) == (8, False)
    assert {each["FunctionArn"].rpartition(":")[2] for each in after.values()} == {"g"}
    assert {each["UUID"] for each in after.values()} == {each["UUID"] for each in made.values()}
    assert tags == {"team": "a", "size": "8"}
    assert "No changes" in nothing
    assert "No changes" in nothing_again
    assert "2 destroyed" in destroyed
    assert listed() == []
