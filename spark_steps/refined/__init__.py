"""Refined: the star schema. One module per table or family of tables: a query over views named like its inputs."""
