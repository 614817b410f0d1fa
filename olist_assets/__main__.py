"""`python -m olist_assets` is `olist`."""

from olist_assets.cli import main

main()
