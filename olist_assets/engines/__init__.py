"""Engines: what runs a step, each behind the same contract."""
