"""`python -m bench`: the baseline, the engines and their competitors on dumps of any size, side by side."""

import argparse
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import full_load, report
from bench.errors import BenchError
from olist_assets.errors import OlistError
from olist_assets.sources.generator.dump import generate

_ORDERS = 100_000
_DAYS = 730
_ENGINES = ("sail", "spark")
_QUIET = 0.5
_SEED = 1


def main() -> None:
    """Run the benchmark on each dump; an error is one line on standard error and exit code 1."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that its processes are ended too
    machine = report.Machine.this(datetime.now(UTC).date())
    if machine.load > _QUIET:
        report.log(f"the machine is busy (load {machine.load}): the figures will be too high, and vary")
    try:
        for name, dump in _dumps(arguments):
            with TemporaryDirectory(prefix="olist-bench-") as workspace:
                result = full_load.run(
                    name,
                    dump,
                    arguments.engines,
                    arguments.competitors,
                    runs=arguments.runs,
                    workspace=Path(workspace),
                    progress=report.log,
                )
            written = report.write(result, machine, arguments.out)
            report.log(f"{name}: wrote {' and '.join(map(str, written))}")
    except (BenchError, OlistError) as error:
        report.log(f"error: {error}")
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--orders", type=int, nargs="+", metavar="N", help="bench made-up dumps of N orders each")
    parser.add_argument("--dump", type=Path, metavar="DIR", help="bench the dump in a folder")
    for option, names in (("--engines", _ENGINES), ("--competitors", tuple(full_load.COMPETITORS))):
        parser.add_argument(option, nargs="*", choices=names, default=names, help="by default all")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="run each N times, and take the quickest")
    parser.add_argument("--out", type=Path, default=Path("bench", "results"), metavar="DIR", help="where results go")
    arguments = parser.parse_args()
    if arguments.runs < 1 or min(arguments.orders or [1]) < 1:
        parser.error("--runs and --orders take numbers from 1 on")
    if arguments.orders is None and arguments.dump is None:
        arguments.orders = [_ORDERS]
    return arguments


def _dumps(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    """The dumps with their names. A generated dump exists until the next one is requested."""
    if arguments.dump:
        yield arguments.dump.resolve().name, arguments.dump.resolve()
    for orders in arguments.orders or ():
        with TemporaryDirectory(prefix="olist-bench-dump-") as folder:
            report.log(f"generated-{orders}: generating {orders:,} orders")
            generate(Path(folder), orders=orders, days=_DAYS, seed=_SEED)
            yield f"generated-{orders}", Path(folder)


if __name__ == "__main__":
    main()
