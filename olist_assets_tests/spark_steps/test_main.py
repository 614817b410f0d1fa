"""A step from the command line, in its own process: it reads a request and writes a result or a one-line error."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from spark_steps.protocol import DayCounts, FileCounts, RowCounts, StepError, StepRequest, StepResult, Window

HEADER = "seller_id,seller_zip_code_prefix,seller_city,seller_state\n"


@pytest.fixture(scope="module")
def server():
    """The address of a Sail server, in the form of SPARK_REMOTE."""
    os.environ.setdefault("RUST_LOG", "error")  # read when the library is loaded
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 - after RUST_LOG

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    _, port = server.listening_address
    yield f"sc://127.0.0.1:{port}"
    server.stop()


def run(server, request, folder):
    """Run the step with a path for its request and a URI for its result; return the process and the result file."""
    request_file, result_file = folder / "request.json", folder / "result.json"
    request_file.write_text(request.to_json())
    process = subprocess.run(
        [sys.executable, "-m", "spark_steps", "--request", str(request_file), "--result", result_file.as_uri()],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"SPARK_REMOTE": server},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return process, result_file


def request_for(lake, file):
    return StepRequest(
        output=lake.table("raw/sellers"),
        window=Window.from_day(file.landing_date),
        files=(file,),
        run_id="from the command line",
        code_version="1",
    )


def test_a_step_from_the_command_line_writes_its_rows_and_its_result(lake, server, tmp_path):
    file = lake.file("olist_sellers_dataset.csv", HEADER + "s1,1001,são paulo,SP\ns2\n")
    process, result_file = run(server, request_for(lake, file), tmp_path)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    assert lake.read("raw/sellers", "seller_city", "_row", "_run_id", "_text") == [
        {"seller_city": "são paulo", "_row": 0, "_run_id": "from the command line", "_text": None},
        {"seller_city": None, "_row": 1, "_run_id": "from the command line", "_text": "s2"},
    ]
    result = StepResult.from_json(result_file.read_text())
    files = list(lake.root.glob("raw/sellers/*/*.parquet"))
    assert result.seconds > 0
    assert replace(result, seconds=0.0) == StepResult(
        table="raw/sellers",
        version_before=0,
        version_after=1,
        rows=RowCounts(read=2, inserted=2),
        files=FileCounts(added=len(files), bytes_added=sum(path.stat().st_size for path in files)),
        days=(DayCounts(day=file.landing_date, rows=RowCounts(read=2, inserted=2), partition_rows=2),),
    )
    assert list(json.loads(result_file.read_text())) == list(json.loads(result.to_json()))


def test_a_failed_step_writes_one_line_in_place_of_its_result(lake, server, tmp_path):
    file = lake.file("olist_sellers_dataset.csv", "seller_id\ns1\n")
    process, result_file = run(server, request_for(lake, file), tmp_path)
    assert process.returncode == 1
    assert process.stdout == ""
    error = (
        "raw/sellers: olist_sellers_dataset.csv of 2018-05-10 lacks the column seller_zip_code_prefix, "
        "seller_city, seller_state; replace it in the delivery by a corrected file, or remove it there and from the "
        "landing zone"
    )
    assert process.stderr == f"error: {error}\n"
    with pytest.raises(StepError, match=f"^{re.escape(error)}$"):
        StepResult.from_json(result_file.read_text())
    assert lake.read("raw/sellers") == []
