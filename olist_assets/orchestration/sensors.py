"""Sensors: cancel the jobs on a cluster that a failed or canceled run left behind."""

import dagster as dg

from olist_assets.engines.base import Engine


def orphaned_job_sensors(engine: Engine) -> list[dg.SensorDefinition]:
    """Sensors that cancel orphaned jobs of failed and of canceled runs. A local engine needs none."""
    if not engine.is_remote:
        return []

    def cancel_orphaned_jobs(context: dg.RunStatusSensorContext) -> None:
        for job in engine.cancel_jobs(context.dagster_run.run_id):
            context.log.info("canceled %s, an orphaned job of run %s", job, context.dagster_run.run_id)

    return [
        dg.run_status_sensor(  # pyright: ignore[reportUnknownMemberType] - a type in Dagster's signature is incomplete
            run_status=status,
            # DAGSTER_HOME stores the sensor's state under this name, on or off and its cursor: it must not change.
            name=f"end_jobs_of_{status.value.lower()}_runs",
            description="Cancels the jobs that such a run left on the cluster.",
            default_status=dg.DefaultSensorStatus.RUNNING,
        )(cancel_orphaned_jobs)
        for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    ]
