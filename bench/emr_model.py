"""`python -m bench.emr_model`: time and cost of loads on EMR, from measured Spark work and AWS's list prices.

Nothing runs on AWS. The work is measured on local Spark: a whole load and the load of the day after it, both with few
orders and with five times as many. `emr_prices.json` has the prices, and `Assumptions` all other inputs.
"""

import argparse
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from bench import report
from bench.daily_load import last_full_day_of_sales
from bench.full_load import Lakehouse, olist
from olist_assets.engines.remote.settings import EmrFields, EmrServerlessFields
from olist_assets.sources.generator.dump import generate

_ORDERS, _DAYS, _SEED = 8_000, 60, 11
_FEW, _MANY = 1, 5
_HOUR, _MINUTE, _HOURS_PER_MONTH = 3600, 60, 730
_PRICES = Path(__file__).with_name("emr_prices.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """List prices in US dollars.

    Attributes:
        as_of: when they were known; they have not been checked since.
        region: the region.
        instance: the type of a cluster's nodes.
        instance_vcpus: its vCPUs.
        ec2_hour, emr_hour: what EC2 and EMR charge for it per hour.
        disk_gb_month: a GB of a node's disk, per month.
        serverless_vcpu_hour, serverless_gb_hour: a vCPU and a GB of memory of EMR Serverless, per hour.
    """

    as_of: str
    region: str
    instance: str
    instance_vcpus: int
    ec2_hour: float
    emr_hour: float
    disk_gb_month: float
    serverless_vcpu_hour: float
    serverless_gb_hour: float

    @classmethod
    def read(cls) -> Self:
        """The prices in `emr_prices.json`."""
        return cls(**json.loads(_PRICES.read_text()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Inputs that are neither measured nor in a price list.

    Attributes:
        core_speed: the speed of a vCPU, as a multiple of a core of the measuring machine.
        steps: the steps of a run.
        s3_seconds: seconds that each step waits for S3: logs, commits, and the exchange with the engine.
        cluster_start_seconds: from the request of a cluster until it accepts steps.
        worker_start_seconds: from the submission of a worker to its first step, on a cluster that runs.
        serverless_start_seconds: the same on EMR Serverless; it is not billed.
        disk_gb: the disk of a node.
        serverless_gb: the memory of a driver or an executor on EMR Serverless.
    """

    core_speed: float = 1.0
    steps: int = 31
    s3_seconds: float = 3.0
    cluster_start_seconds: float = 300.0
    worker_start_seconds: float = 45.0
    serverless_start_seconds: float = 90.0
    disk_gb: float = 64.0
    serverless_gb: float = 8.0


# --- The work --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The work of local Spark with one number of orders.

    Attributes:
        orders: the orders of the whole load.
        load_cpu: CPU seconds of all its processes.
        day_orders: the orders of the day after it.
        day_cpu: CPU seconds of that day's load.
    """

    orders: int
    load_cpu: float
    day_orders: int
    day_cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The CPU seconds of a load, as a linear function.

    Attributes:
        load: of a whole load without rows: planning, commits, the JVM's warm-up.
        day: of a day's load without rows, on an empty lake.
        per_order: for each order of the load.
        per_known_order: for each order in the lake before a day's load, whose keys queries look through.
    """

    load: float
    day: float
    per_order: float
    per_known_order: float

    @classmethod
    def fit(cls, few: Measured, many: Measured) -> Self:
        """The line through two measurements. A slope that noise makes negative counts as zero."""
        more = many.orders - few.orders
        per_order = max(0.0, (many.load_cpu - few.load_cpu) / more)
        of_orders = per_order * (many.day_orders - few.day_orders)
        per_known_order = max(0.0, (many.day_cpu - few.day_cpu - of_orders) / more)
        return cls(
            load=few.load_cpu - per_order * few.orders,
            day=few.day_cpu - per_known_order * few.orders - per_order * few.day_orders,
            per_order=per_order,
            per_known_order=per_known_order,
        )


def measure_work(workspace: Path, progress: Callable[[str], None]) -> list[Measured]:
    """Load few orders and many, each time with the day after them.

    Args:
        workspace: an empty folder.
        progress: called with a line for each load.

    Raises:
        BenchError: a command failed.
    """
    return [_measure(workspace / f"{factor}", factor, progress) for factor in (_FEW, _MANY)]


def _measure(workspace: Path, factor: int, progress: Callable[[str], None]) -> Measured:
    dump, daily, source = workspace / "dump", workspace / "daily", workspace / "source"
    generate(dump, orders=_ORDERS * factor, days=_DAYS, seed=_SEED)
    olist(["replay", str(dump)], {"OLIST_SOURCE": str(daily)}, workspace)
    day = daily / last_full_day_of_sales(daily)
    for folder in sorted(daily.iterdir()):
        if folder.name < day.name:
            shutil.copytree(folder, source / folder.name)
    with Lakehouse("spark", source, workspace / "lake") as lakehouse:
        load, records = lakehouse.run()
        orders = sum(record.rows_inserted or 0 for record in records if record.table == "refined/fact_orders")
        shutil.copytree(day, source / day.name)
        of_day, records = lakehouse.run("--day", day.name)
        day_orders = sum(record.rows_inserted or 0 for record in records if record.table == "refined/fact_orders")
    progress(f"{orders:,} orders: {load.cpu:.0f} CPU s; a day of {day_orders:,} orders: {of_day.cpu:.0f} CPU s")
    return Measured(orders=orders, load_cpu=load.cpu, day_orders=day_orders, day_cpu=of_day.cpu)


# --- The model -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A load.

    Attributes:
        name: what it is.
        orders: its orders.
        known_orders: the orders in the lake before; 0 for a whole load.
        executors: how many executors it gets.
    """

    name: str
    orders: int
    known_orders: int = 0
    executors: int


SCENARIOS = (
    Scenario(name="a day, after two years", orders=140, known_orders=100_000, executors=2),
    Scenario(name="two years in one run", orders=100_000, executors=4),
    Scenario(name="a day of a shop 100 times as large", orders=14_000, known_orders=10_000_000, executors=8),
    Scenario(name="two years of that shop in one run", orders=10_000_000, executors=32),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Time and cost of a load.

    Attributes:
        seconds: from the request to the last commit.
        dollars: the price of the machines meanwhile, and of a cluster until it ends.
    """

    seconds: float
    dollars: float


class Model:
    """Estimates loads."""

    def __init__(self, work: Work, prices: Prices, assumed: Assumptions) -> None:
        self._work = work
        self._prices = prices
        self._assumed = assumed

    def on_cluster(self, scenario: Scenario, *, warm: bool) -> Estimate:
        """A run on a cluster.

        Args:
            scenario: the load.
            warm: whether the cluster runs already, so that others pay for its start and its idle time.
        """
        settings, prices, assumed = EmrFields.model_validate({}), self._prices, self._assumed
        executors = scenario.executors
        nodes = 1 + math.ceil(executors * settings.executor_cores / prices.instance_vcpus)
        steps = self._step_seconds(scenario, prices.instance_vcpus, executors * settings.executor_cores, settings.slots)
        seconds = assumed.worker_start_seconds + steps
        paid = seconds
        if not warm:
            seconds += assumed.cluster_start_seconds
            paid = seconds + _MINUTE * settings.idle_minutes
        disk = prices.disk_gb_month * assumed.disk_gb / _HOURS_PER_MONTH
        return Estimate(seconds=seconds, dollars=nodes * (prices.ec2_hour + prices.emr_hour + disk) * paid / _HOUR)

    def on_serverless(self, scenario: Scenario) -> Estimate:
        """A run on EMR Serverless, which has at least three executors, and bills at least a minute."""
        settings, prices, assumed = EmrServerlessFields.model_validate({}), self._prices, self._assumed
        executors = max(scenario.executors, 3)
        steps = self._step_seconds(scenario, settings.driver_cores, executors * settings.executor_cores, settings.slots)
        vcpus = settings.driver_cores + executors * settings.executor_cores
        memory = (1 + executors) * assumed.serverless_gb
        per_hour = vcpus * prices.serverless_vcpu_hour + memory * prices.serverless_gb_hour
        return Estimate(
            seconds=assumed.serverless_start_seconds + steps, dollars=per_hour * max(steps, _MINUTE) / _HOUR
        )

    def _step_seconds(self, scenario: Scenario, driver_cores: int, executor_cores: int, slots: int) -> float:
        """The seconds of all steps: fixed work on the driver, work per order on the executors, and waits for S3."""
        work, assumed = self._work, self._assumed
        fixed = work.day if scenario.known_orders else work.load
        rows = work.per_order * scenario.orders + work.per_known_order * scenario.known_orders
        cpu = fixed / min(driver_cores, slots) + rows / executor_cores
        return cpu / assumed.core_speed + assumed.steps * assumed.s3_seconds / slots


# --- The page --------------------------------------------------------------------------------------------------------


def markdown(measured: list[Measured], prices: Prices, assumed: Assumptions, machine: report.Machine) -> str:
    """The estimates, and what they are computed from."""
    work = Work.fit(*measured)
    model = Model(work, prices, assumed)
    heads = [
        "",
        "orders",
        "executors",
        "cluster, new: min",
        "US$",
        "cluster, warm: min",
        "US$",
        "Serverless: min",
        "US$",
    ]
    rows = [
        [scenario.name, f"{scenario.orders:,}", f"{scenario.executors}", *_cells(model, scenario)]
        for scenario in SCENARIOS
    ]
    parts = [
        f"**Estimates: nothing has run on AWS.** {_describe_work(measured, work)} {machine}.",
        _describe_prices(prices),
        f"Sizes are the engines' defaults, except for the executors. Assumed: {_describe_assumptions(assumed)}.",
    ]
    introduction = "\n\n".join(parts)
    return report.page(f"Time and cost on EMR: {machine.day}", introduction, heads, rows)


def _describe_work(measured: list[Measured], work: Work) -> str:
    loads = "; ".join(
        f"{m.orders:,} orders {m.load_cpu:,.0f} CPU s, the day after with {m.day_orders:,} orders {m.day_cpu:,.0f}"
        for m in measured
    )
    return (
        f"Measured on local Spark: {loads}. So a whole load takes {work.load:,.0f} CPU s and a day's load "
        f"{work.day:,.0f}, and {1000 * work.per_order:,.2f} for each 1,000 orders that it loads; a day's load also "
        f"{1000 * work.per_known_order:,.2f} for each 1,000 orders in the lake."
    )


def _describe_prices(prices: Prices) -> str:
    return (
        f"List prices of {prices.region} in US dollars, as known in {prices.as_of} and not checked since: "
        f"{prices.instance} {prices.ec2_hour} + {prices.emr_hour} per hour, a disk {prices.disk_gb_month} per GB and "
        f"month; Serverless {prices.serverless_vcpu_hour} per vCPU and {prices.serverless_gb_hour} per GB of memory "
        "and hour."
    )


def _describe_assumptions(assumed: Assumptions) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in asdict(assumed).items())


def _cells(model: Model, scenario: Scenario) -> Iterator[str]:
    for estimate in (
        model.on_cluster(scenario, warm=False),
        model.on_cluster(scenario, warm=True),
        model.on_serverless(scenario),
    ):
        yield f"{estimate.seconds / _MINUTE:,.1f}"
        yield f"{estimate.dollars:,.2f}"


def main() -> None:
    """Measure, and write `emr.json` and `emr.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench.emr_model", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("bench", "results"), metavar="DIR", help="where results go")
    parser.add_argument(
        "--again", action="store_true", help="take the work from `emr.json` instead of measuring: after other prices"
    )
    arguments = parser.parse_args()
    stored = arguments.out / "emr.json"
    prices, assumed = Prices.read(), Assumptions()
    if arguments.again:
        content = json.loads(stored.read_text())
        machine = report.Machine(**content["machine"])
        measured = [Measured(**fields) for fields in content["measured"]]
    else:
        machine = report.Machine.this(datetime.now(UTC).date())
        with TemporaryDirectory(prefix="olist-bench-") as workspace:
            measured = measure_work(Path(workspace), report.log)
    content = {"machine": asdict(machine), "measured": [asdict(m) for m in measured]}
    report.write_page(arguments.out, "emr", content, markdown(measured, prices, assumed, machine))


if __name__ == "__main__":
    main()
