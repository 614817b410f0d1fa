"""The steps that run on Spark, free of any orchestrator."""
