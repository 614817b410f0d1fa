"""The settings of the EMR engines: their variables, their documentation, and the cluster that they describe."""

import os

import pytest

from olist_assets.engines.remote.emr import EmrEngine
from olist_assets.engines.remote.emr_serverless import EmrServerlessEngine
from olist_assets.engines.remote.settings import EmrServerlessFields, EmrSettings, setting_rows
from olist_assets.errors import SettingsError

LAKE = "s3://shop/lake"
LISTS = {"subnets", "security_groups", "instance_types", "applications"}
EXAMPLES = {float: ("1.5", 1.5), int: ("7", 7), bool: ("true", True), str: ("other", "other")}
"""The text of a variable and its value, by the type of the field."""


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OLIST_EMR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def set_variables(monkeypatch):
    """Set environment variables."""

    def set_all(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def text_and_value(engine, field: str):
    """A variable's text for a field, and the value that it means."""
    if field in LISTS:
        return "a, b", ["a", "b"]
    if field == "tags":
        return "team=data, cost=a=b", {"team": "data", "cost": "a=b"}
    if field.endswith("units"):
        return "16", 16
    if field.endswith("_memory"):
        return "5g", "5g"
    return EXAMPLES[engine.model_fields[field].annotation]


def fields(engine) -> list[str]:
    return [name for name in engine.model_fields if name != "lake"]


@pytest.mark.parametrize(
    ("remote", "field"),
    [(remote, name) for remote in (EmrEngine, EmrServerlessEngine) for name in fields(remote)],
)
def test_each_field_has_a_variable_that_sets_it_alone(remote, field, set_variables):
    default = remote.from_environment(LAKE)
    text, value = text_and_value(remote, field)
    set_variables({f"{remote.settings_class.prefixes[0]}{field.upper()}": text})
    changed = remote.from_environment(LAKE)
    assert changed.lake == LAKE
    assert getattr(changed, field) == value
    assert [name for name in fields(remote) if getattr(changed, name) != getattr(default, name)] == [field]


def test_variables_of_serverless_take_precedence_over_shared_ones(set_variables):
    set_variables(
        {
            "OLIST_EMR_RELEASE": "emr-7.1.0",
            "OLIST_EMR_SERVERLESS_RELEASE": "emr-7.2.0",
            "OLIST_EMR_LOGS": "s3://logs/a",
            "OLIST_EMR_SERVERLESS_LOGS": "",
            "OLIST_EMR_TAGS": "team=data",
            "OLIST_EMR_SERVERLESS_TAGS": "cost=a",
            "OLIST_EMR_LAKE": "s3://other/lake",
        }
    )
    engine = EmrServerlessEngine.from_environment(LAKE)
    assert (engine.release, engine.logs, engine.tags) == ("emr-7.2.0", "s3://logs/a", {"cost": "a"})
    assert engine.lake == LAKE
    assert EmrEngine.from_environment(LAKE).release == "emr-7.1.0"


def test_an_empty_variable_counts_as_unset(set_variables):
    set_variables({"OLIST_EMR_CLUSTER": ""})
    assert EmrEngine.from_environment(LAKE).cluster == "olist"


def test_an_engine_that_is_built_in_code_ignores_variables(set_variables):
    set_variables({"OLIST_EMR_UNITS": "8"})
    assert EmrEngine(lake=LAKE).units == 4


@pytest.mark.parametrize("remote", [EmrEngine, EmrServerlessEngine])
@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OLIST_EMR_IDLE_MINUTES", "many", "valid integer"),
        ("OLIST_EMR_POLL_SECONDS", "soon", "valid number"),
        ("OLIST_EMR_DRIVER_MEMORY", "4 GB", "match pattern"),
    ],
)
def test_a_wrong_value_is_a_one_line_error_with_the_variable_and_what_it_takes(
    remote, name, value, expected, set_variables
):
    set_variables({name: value})
    with pytest.raises(SettingsError) as caught:
        remote.from_environment(LAKE)
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"{name}={value}: ")
    assert expected in line


def test_a_wrong_value_is_reported_with_the_variable_that_took_precedence(set_variables):
    set_variables({"OLIST_EMR_SERVERLESS_IDLE_MINUTES": "few", "OLIST_EMR_IDLE_MINUTES": "many"})
    with pytest.raises(SettingsError, match=r"^OLIST_EMR_SERVERLESS_IDLE_MINUTES=few: "):
        EmrServerlessEngine.from_environment(LAKE)


@pytest.mark.parametrize(("text", "expected"), [("perhaps", None), ("true", True), ("false", False)])
def test_a_flag_takes_true_or_false(text, expected, set_variables):
    set_variables({"OLIST_EMR_SPOT": text})
    if expected is None:
        with pytest.raises(SettingsError, match=r"^OLIST_EMR_SPOT=perhaps: .*valid boolean"):
            EmrSettings.load()
    else:
        assert EmrSettings.load().spot is expected


def test_the_documentation_has_one_row_per_variable():
    rows = {row.variable: row for row in setting_rows()}
    assert len(rows) == len(setting_rows())
    assert rows["OLIST_EMR_UNITS"] == (
        "OLIST_EMR_UNITS",
        "4",
        "minimum vCPUs of all core and task nodes, a multiple of 4",
    )
    assert rows["OLIST_EMR_APPLICATIONS"].default == "Spark"
    assert rows["OLIST_EMR_SPOT"].default == "false"
    assert rows["OLIST_EMR_TAGS"].default == "none"
    assert rows["OLIST_EMR_POLL_SECONDS"].default == "30"
    assert rows["OLIST_EMR_SERVERLESS_MEMORY_PRICE"].default == "0.0057785"
    variables = {f"OLIST_EMR_{name.upper()}" for name in fields(EmrEngine)}
    own = EmrServerlessFields.model_fields.keys() - EmrEngine.model_fields.keys()
    own |= {"driver_memory", "executor_memory"}  # whose defaults differ
    assert rows.keys() == variables | {f"OLIST_EMR_SERVERLESS_{name.upper()}" for name in own}
    assert all(row.meaning for row in rows.values())


def test_the_cluster_has_instance_fleets_scaling_limits_and_an_idle_timeout():
    flow = EmrEngine(
        lake=LAKE, units=8, max_units=64, idle_minutes=20, step_concurrency=5, subnets=["a", "b"]
    ).job_flow()
    assert flow["Instances"]["Ec2SubnetIds"] == ["a", "b"]
    assert flow["Instances"]["KeepJobFlowAliveWhenNoSteps"]
    primary, core, task = flow["Instances"]["InstanceFleets"]
    assert (primary["InstanceFleetType"], primary["TargetOnDemandCapacity"]) == ("MASTER", 1)
    assert (core["InstanceFleetType"], core["TargetOnDemandCapacity"]) == ("CORE", 8)
    assert [(type_["InstanceType"], type_["WeightedCapacity"]) for type_ in core["InstanceTypeConfigs"]] == [
        ("m6i.xlarge", 4),
        ("m5.xlarge", 4),
        ("m6a.xlarge", 4),
    ]
    assert task["TargetOnDemandCapacity"] == 4
    assert task["InstanceTypeConfigs"] == core["InstanceTypeConfigs"]
    assert flow["ManagedScalingPolicy"]["ComputeLimits"] == {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": 8,
        "MaximumCapacityUnits": 64,
        "MaximumCoreCapacityUnits": 8,
        "MaximumOnDemandCapacityUnits": 64,
    }
    assert flow["AutoTerminationPolicy"] == {"IdleTimeout": 1200}
    assert flow["StepConcurrencyLevel"] == 5


def test_a_cluster_that_does_not_grow_has_no_task_fleet():
    fleets = EmrEngine(lake=LAKE, units=8, max_units=8).job_flow()["Instances"]["InstanceFleets"]
    assert [fleet["InstanceFleetType"] for fleet in fleets] == ["MASTER", "CORE"]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OLIST_EMR_UNITS": "6"}, r"^OLIST_EMR_UNITS=6: .*multiple of 4"),
        ({"OLIST_EMR_UNITS": "0"}, r"^OLIST_EMR_UNITS=0: .*greater than or equal to 4"),
        ({"OLIST_EMR_UNITS": "40"}, r"^OLIST_EMR_MAX_UNITS=32: .*OLIST_EMR_UNITS=40"),
        ({"OLIST_EMR_UNITS": "16", "OLIST_EMR_MAX_UNITS": "8"}, r"^OLIST_EMR_MAX_UNITS=8: .*OLIST_EMR_UNITS=16"),
    ],
)
def test_capacity_is_in_whole_instances_and_the_maximum_not_below_the_minimum(variables, message, set_variables):
    set_variables(variables)
    with pytest.raises(SettingsError, match=message):
        EmrSettings.load()


def test_only_capacity_beyond_the_minimum_is_spot():
    limits = EmrEngine(lake=LAKE, units=8, max_units=64, spot=True).job_flow()["ManagedScalingPolicy"]["ComputeLimits"]
    assert (limits["MaximumCoreCapacityUnits"], limits["MaximumOnDemandCapacityUnits"]) == (8, 8)
    _, core, task = EmrEngine(lake=LAKE, units=8, spot=True).job_flow()["Instances"]["InstanceFleets"]
    assert (core["TargetOnDemandCapacity"], task["TargetSpotCapacity"]) == (8, 4)


def test_the_cluster_has_the_tags_that_the_roles_require():
    flow = EmrEngine(lake=LAKE, cluster="shop", tags={"team": "data"}).job_flow()
    assert {tag["Key"]: tag["Value"] for tag in flow["Tags"]} == {
        "olist:lakehouse": "shop",
        "for-use-with-amazon-emr-managed-policies": "true",
        "team": "data",
    }


def test_the_cluster_writes_logs_only_if_the_setting_names_a_place():
    assert "LogUri" not in EmrEngine(lake=LAKE).job_flow()
    assert EmrEngine(lake=LAKE, logs="s3://logs/emr").job_flow()["LogUri"] == "s3://logs/emr"


def test_settings_describe_a_cluster_of_an_earlier_release_line(set_variables):
    set_variables(
        {
            "OLIST_EMR_RELEASE": "emr-7.10.0",
            "OLIST_EMR_APPLICATIONS": "Spark,Livy",
            "OLIST_EMR_SERVICE_ROLE": "olist-emr",
            "OLIST_EMR_INSTANCE_PROFILE": "olist-nodes",
        }
    )
    flow = EmrEngine.from_environment(LAKE).job_flow()
    assert flow["ReleaseLabel"] == "emr-7.10.0"
    assert [application["Name"] for application in flow["Applications"]] == ["Spark", "Livy"]
    assert (flow["ServiceRole"], flow["JobFlowRole"]) == ("olist-emr", "olist-nodes")
