"""The page and the JSON file of the benchmark's results."""

from dataclasses import replace

from bench import report
from bench.contenders import Figures
from bench.full_load import Result
from olist_assets_tests.bench.machines import MACHINE


def figures(factor, **parts):
    return Figures(
        layers={"raw": 1.0 * factor, "trusted": 2.0 * factor, "refined": 1.0 * factor},
        parts={"start-up": 0.5, "work": 4.0 * factor, **parts},
        wall=5.0 * factor,
        cpu=6.0,
        peak_process=700_000_000,
        peak_tree=1_400_000_000,
        files=100 * factor,
        bytes=50_000_000,
    )


RESULT = Result(
    dump="small",
    orders=1_234,
    csv_bytes=25_300_000,
    runs=2,
    baseline=figures(1),
    loads={
        "sail": figures(2, **{"engine start": 0.25, "end": 0.5}),
        "dbt": replace(figures(3), layers={}),
    },
    reruns={"sail": figures(0)},  # dbt would repeat its first load
    equal=("refined/dim_date", "refined/fact_orders"),
    tools={"dbt": {"dbt-core": "1.11.16"}},
)
PAGE = """\
# small: 1,234 orders, 25 MB of CSV

Linux x86_64, 2 cores, 24 GiB; Python 3.11.7, pysail 0.7.2; 2018-05-10; load 0.2 before it began; \
dbt: dbt-core 1.11.16; the fastest of 2 runs of each. \
The 2 refined tables of each column equal the baseline's in every row.

|  | baseline | sail | dbt |
| --- | --: | --: | --: |
| **Seconds of work** |  |  |  |
| landzone | - | - | - |
| raw | 1.00 | 2.00 (2.0x) | - |
| trusted | 2.00 | 4.00 (2.0x) | - |
| refined | 1.00 | 2.00 (2.0x) | - |
| all layers | 4.00 | 8.00 (2.0x) | 12.00 (3.0x) |
| **Seconds of the command** |  |  |  |
| start-up: until the first step | 0.50 | 0.50 (1.0x) | 0.50 (1.0x) |
| engine start | - | 0.25 | - |
| from the first step to the last, without it | 4.00 | 8.00 (2.0x) | 12.00 (3.0x) |
| after the last step | - | 0.50 | - |
| from start to end | 5.00 | 10.00 (2.0x) | 15.00 (3.0x) |
| of CPU | 6.00 | 6.00 (1.0x) | 6.00 (1.0x) |
| **Memory and storage** |  |  |  |
| MB of the largest process | 700 | 700 (1.0x) | 700 (1.0x) |
| MB of all processes | 1,400 | 1,400 (1.0x) | 1,400 (1.0x) |
| data files written | 100 | 200 (2.0x) | 300 (3.0x) |
| MB of data files | 50.0 | 50.0 (1.0x) | 50.0 (1.0x) |
| **The same delivery again** |  |  |  |
| seconds of work | 4.00 | 0.00 (0.0x) | 12.00 (3.0x) |
| from start to end | 5.00 | 0.00 (0.0x) | 15.00 (3.0x) |
| data files written | 100 | 0 (0.0x) | 300 (3.0x) |

"""


def test_the_page_shows_each_figure_with_its_multiple_of_the_baseline():
    page = report.markdown(RESULT, MACHINE)
    assert page.startswith(PAGE)
    assert page.removeprefix(PAGE).startswith("*The baseline*: ")


def test_a_result_is_written_as_json_and_as_a_page(tmp_path):
    paths = report.write(RESULT, MACHINE, tmp_path / "results")
    assert [path.name for path in paths] == ["small.json", "small.md"]
    assert '"trusted": 4.0' in paths[0].read_text()
    assert paths[1].read_text() == report.markdown(RESULT, MACHINE)
