"""The lake's objects, in a folder and on S3: landed files, load marks, URIs."""

from datetime import date

import pytest

from olist_assets.lake.layout import Lake
from spark_steps.protocol import Window

DAY = date(2018, 5, 10)


@pytest.mark.parametrize(("after_raw", "folders"), [("archive", ["archive"]), ("delete", [])])
def test_a_landed_file_is_pending_until_it_is_removed(root, delivered, after_raw, folders):
    lake = Lake(root, after_raw)
    landed = lake.landzone.land("sellers", DAY, delivered).file
    assert lake.landzone.land("sellers", DAY, delivered).file == landed  # the same object
    assert lake.landzone.files("sellers", Window.from_day(DAY)) == (landed,)
    assert lake.landzone.pending_days() == [DAY]
    for _ in range(2):  # the second time as if another run had removed it
        lake.landzone.remove([landed])
    assert lake.landzone.pending_days() == []
    path = landed.uri.removeprefix(f"{root}/landzone/")
    assert [meta["path"] for page in lake.store.list() for meta in page] == [f"{folder}/{path}" for folder in folders]


def test_uris_are_displayed_without_the_bucket(bucket, tmp_path):
    for root, shown in {f"{bucket}/lake": "$OLIST_LAKE", str(tmp_path): str(tmp_path)}.items():
        lake = Lake(root)
        assert lake.display_uri(lake.table("raw/orders").uri) == f"{shown}/raw/orders"
