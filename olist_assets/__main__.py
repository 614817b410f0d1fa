"""`python -m olist_assets` is `olist`."""

from olist_assets.cli.app import main

main()
