"""Engines of this machine: Sail, embedded, and Spark on the JVM."""
