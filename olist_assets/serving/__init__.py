"""Serving: the lake's tables for the people who ask questions of them."""
