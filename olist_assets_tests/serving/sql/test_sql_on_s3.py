"""SQL over a lake on S3."""

import shutil

import duckdb
import pytest

from olist_assets.errors import QueryError
from olist_assets.lake.layout import Lake
from olist_assets.lake.step_records import StepRecord
from olist_assets.lake.table_versions import DeltaLog
from olist_assets.serving.sql.session import connect
from olist_assets_tests.serving.sql.payment_lakes import COUNT, PAYMENTS, STARTED, one, payment


@pytest.fixture
def on_s3(s3, bucket, sail_lake, payments):
    """The same lake, and its next version, on S3; returns its root."""
    sail_lake.rows("refined/aggregate_payments_per_month", payment("2018-03", "boleto", "1.00"))
    Lake(payments).step_records.write(StepRecord(table="raw/orders", run_id="r1", started_at=STARTED))
    for path in sail_lake.objects("."):
        s3.upload_file(f"{payments}/{path}", bucket.removeprefix("s3://"), f"lake/{path}")
    shutil.rmtree(payments)
    return f"{bucket}/lake"


def test_sql_reads_a_lake_on_s3(on_s3, s3, bucket):
    name, log = bucket.removeprefix("s3://"), "lake/refined/aggregate_payments_per_month/_delta_log"
    with connect(on_s3) as session:
        assert session.versions == {"refined/aggregate_payments_per_month": 2}
        s3.copy_object(Bucket=name, Key=f"{log}/{3:020}.json", CopySource=f"{name}/{log}/{1:020}.json")
        assert one(session, COUNT) == 4
        assert one(session, f"select sum(payment_value) from {PAYMENTS} where payment_type = $t", t="voucher") == 0
        assert one(session, "select run_id from control.steps") == "r1"
        with pytest.raises(QueryError, match=r"did you mean control\.steps"):
            session.query("select * from control.step")
    with connect(on_s3) as session:
        assert session.versions == {"refined/aggregate_payments_per_month": 3}
    first = DeltaLog(session._store, "refined/aggregate_payments_per_month").committed_at(1)  # noqa: SLF001 - the store that it reads
    with connect(on_s3, as_of=first) as session:
        assert one(session, COUNT) == 3


def test_no_credential_can_be_queried_on_s3(on_s3, s3):
    s3.put_object(Bucket=on_s3.removeprefix("s3://").removesuffix("/lake"), Key="lake2/x.txt", Body=b"beside the lake")
    with connect(on_s3) as session:
        one(session, COUNT)
        for statement in (
            "select current_setting('s3_secret_access_key')",
            "from duckdb_secrets()",
            "from pg_settings",
        ):
            with pytest.raises(QueryError):
                session.query(statement)
        connection = session._connection  # noqa: SLF001 - past the check of statements
        settings = dict(connection.execute("select name, value from duckdb_settings()").fetchall())
        assert [settings[f"s3_{name}"] for name in ("access_key_id", "secret_access_key", "session_token")] == [""] * 3
        for path in (on_s3.replace("/lake", "/lake2/x.txt"), "/etc/hostname"):
            with pytest.raises(duckdb.PermissionException):
                connection.execute(f"select * from read_text('{path}')")
