"""Serving: the lake's tables for analysts, by SQL and in a report."""
