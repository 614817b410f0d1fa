"""The benchmark's tables in the README."""

from bench import readme

FULL_LOAD = {
    "machine": {"cores": 2, "memory_bytes": 24 << 30, "day": "2018-05-10"},
    "lineage": {
        "orders": 1_234,
        "csv_bytes": 25_300_000,
        "baseline": {"wall": 5.0, "cpu": 6.0, "peak_tree": 700_000_000},
        "loads": {
            "sail": {"wall": 10.04, "cpu": 12.0, "peak_tree": 1_400_000_000},
            "spark-submit": {"wall": 400.0, "cpu": 700.0, "peak_tree": 2_000_000_000},
        },
        "reruns": {"sail": {"wall": 2.5, "cpu": 3.0, "peak_tree": 700_000_000}},
    },
}
DAY = {
    "machine": {"day": "2018-05-11"},
    "loads": {
        "1": {
            "orders": 100,
            "wall": 4.0,
            "steps": {"raw/orders": {"seconds": 0.5}, "trusted/orders": {"seconds": 0.5}},
        },
        "5": {
            "orders": 500,
            "wall": 5.0,
            "steps": {"raw/orders": {"seconds": 0.5}, "trusted/orders": {"seconds": 1.0}},
        },
    },
}
TABLES = """\
1,234 generated orders, 25 MB of CSV, on 2 cores and 24 GiB, 2018-05-10:

|  | first load, s | the same again, s | CPU of the first, s | memory, MB |
| --- | --: | --: | --: | --: |
| baseline | 5.0 | 5.0 | 6.0 | 700 |
| sail | 10.0 | 2.5 | 12.0 | 1,400 |
| one spark-submit per table | 400.0 | 400.0 | 700.0 | 2,000 |

A day's load on `sail`, on growing history, 2018-05-11 (with multiples of the first):

|  | 100 orders before | 500 orders before |
| --- | --: | --: |
| all steps, s | 1.00 | 1.50 (1.5x) |
| from start to end, s | 4.00 | 5.00 (1.2x) |
"""


def test_the_tables_show_first_and_second_load_of_each_and_a_day_on_growing_history():
    assert readme.tables(FULL_LOAD, DAY) == TABLES


def test_the_readme_has_the_tables_of_the_stored_results():
    assert readme.PAGE.read_text(encoding="utf-8") == readme.render(), "run `python -m bench.readme`"
