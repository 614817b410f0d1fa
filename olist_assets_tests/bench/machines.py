"""A machine for the pages of benchmarks."""

from datetime import date

from bench import report

MACHINE = report.Machine(
    system="Linux x86_64",
    cores=2,
    memory_bytes=24 << 30,
    python="3.11.7",
    versions={"pysail": "0.7.2"},
    day=date(2018, 5, 10),
    load=0.2,
)
