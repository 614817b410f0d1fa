"""SQL over the lake: sessions, the statements that they accept, results and the prompt."""

from olist_assets.serving.sql.session import Session, connect

__all__ = ["Session", "connect"]
