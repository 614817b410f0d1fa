"""The engines of a cluster as variables describe them, and the cluster that they would create."""

import pytest

from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.errors import OlistError

LAKE = "s3://shop/lake"
LISTS = {"subnets", "security_groups", "instance_types", "applications"}
IN_TYPES = {float: ("1.5", 1.5), int: ("7", 7), bool: ("true", True), str: ("other", "other")}


def text_and_value(engine, attribute: str):
    """A variable's text for an attribute, and what it means."""
    if attribute in LISTS:
        return "a, b", ["a", "b"]
    if attribute == "tags":
        return "team=data, cost=a=b", {"team": "data", "cost": "a=b"}
    return IN_TYPES[engine.model_fields[attribute].annotation]


def attributes(engine) -> list[str]:
    return [name for name in engine.model_fields if name != "lake"]


@pytest.mark.parametrize(
    ("remote", "attribute"),
    [(remote, name) for remote in (EmrEngine, EmrServerlessEngine) for name in attributes(remote)],
)
def test_each_attribute_has_a_variable(remote, attribute):
    text, value = text_and_value(remote, attribute)
    given = remote.from_environment(LAKE, {f"{remote.variables[0]}{attribute.upper()}": text})
    assert given.lake == LAKE
    assert getattr(given, attribute) == value
    default = remote.from_environment(LAKE, {})
    assert [name for name in attributes(remote) if getattr(given, name) != getattr(default, name)] == [attribute]


def test_serverless_has_its_own_variables_before_those_of_both():
    environment = {"OLIST_EMR_RELEASE": "emr-7.1.0", "OLIST_EMR_LOGS": "s3://logs/a"}
    engine = EmrServerlessEngine.from_environment(
        LAKE, {**environment, "OLIST_EMR_SERVERLESS_RELEASE": "emr-7.2.0", "OLIST_EMR_LAKE": "s3://other/lake"}
    )
    assert (engine.release, engine.logs, engine.lake) == ("emr-7.2.0", "s3://logs/a", LAKE)
    assert EmrEngine.from_environment(LAKE, environment).release == "emr-7.1.0"


def test_an_empty_variable_is_none():
    assert EmrEngine.from_environment(LAKE, {"OLIST_EMR_CLUSTER": ""}).cluster == "olist"


@pytest.mark.parametrize(
    ("name", "value", "takes"),
    [
        ("OLIST_EMR_UNITS", "many", "valid integer"),
        ("OLIST_EMR_SPOT", "perhaps", "valid boolean"),
        ("OLIST_EMR_POLL_SECONDS", "soon", "valid number"),
    ],
)
def test_a_value_that_is_not_accepted_is_named_with_what_the_variable_takes(name, value, takes):
    with pytest.raises(OlistError) as caught:
        EmrEngine.from_environment(LAKE, {name: value})
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{name}={value}: ")
    assert takes in line


def test_the_cluster_has_fleets_scales_and_ends_by_itself():
    flow = EmrEngine(
        lake=LAKE, units=8, max_units=64, idle_minutes=20, step_concurrency=5, subnets=["a", "b"]
    ).job_flow()
    assert flow["Instances"]["Ec2SubnetIds"] == ["a", "b"]
    assert flow["Instances"]["KeepJobFlowAliveWhenNoSteps"]
    primary, core = flow["Instances"]["InstanceFleets"]
    assert (primary["InstanceFleetType"], primary["TargetOnDemandCapacity"]) == ("MASTER", 1)
    assert (core["InstanceFleetType"], core["TargetOnDemandCapacity"]) == ("CORE", 8)
    assert [(type_["InstanceType"], type_["WeightedCapacity"]) for type_ in core["InstanceTypeConfigs"]] == [
        ("m6i.xlarge", 4),
        ("m5.xlarge", 4),
        ("m6a.xlarge", 4),
    ]
    assert flow["ManagedScalingPolicy"]["ComputeLimits"] == {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": 8,
        "MaximumCapacityUnits": 64,
        "MaximumCoreCapacityUnits": 8,
        "MaximumOnDemandCapacityUnits": 64,
    }
    assert flow["AutoTerminationPolicy"] == {"IdleTimeout": 1200}
    assert flow["StepConcurrencyLevel"] == 5


def test_spot_instances_are_only_beyond_the_least_capacity():
    limits = EmrEngine(lake=LAKE, units=8, max_units=64, spot=True).job_flow()["ManagedScalingPolicy"]["ComputeLimits"]
    assert (limits["MaximumCoreCapacityUnits"], limits["MaximumOnDemandCapacityUnits"]) == (8, 8)


def test_the_cluster_is_tagged_as_the_roles_know_it():
    flow = EmrEngine(lake=LAKE, cluster="shop", tags={"team": "data"}).job_flow()
    assert {tag["Key"]: tag["Value"] for tag in flow["Tags"]} == {
        "olist:lakehouse": "shop",
        "for-use-with-amazon-emr-managed-policies": "true",
        "team": "data",
    }


def test_logs_are_kept_where_they_are_asked_for():
    assert "LogUri" not in EmrEngine(lake=LAKE).job_flow()
    assert EmrEngine(lake=LAKE, logs="s3://logs/emr").job_flow()["LogUri"] == "s3://logs/emr"


def test_a_cluster_of_the_line_before_is_a_matter_of_settings():
    environment = {
        "OLIST_EMR_RELEASE": "emr-7.10.0",
        "OLIST_EMR_APPLICATIONS": "Spark,Livy",
        "OLIST_EMR_SERVICE_ROLE": "olist-emr",
        "OLIST_EMR_INSTANCE_PROFILE": "olist-nodes",
    }
    flow = EmrEngine.from_environment(LAKE, environment).job_flow()
    assert flow["ReleaseLabel"] == "emr-7.10.0"
    assert [application["Name"] for application in flow["Applications"]] == ["Spark", "Livy"]
    assert (flow["ServiceRole"], flow["JobFlowRole"]) == ("olist-emr", "olist-nodes")
