"""The command line: `olist`."""

from olist_assets.cli.app import main

__all__ = ["main"]
