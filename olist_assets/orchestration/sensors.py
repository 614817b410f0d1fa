"""Sensors: what a run that was killed has left on a cluster is ended."""

import dagster as dg

from olist_assets.engines.base import Engine


def orphaned_job_sensors(engine: Engine) -> list[dg.SensorDefinition]:
    """Sensors that end the jobs of failed and cancelled runs; none if steps run in the run's own process."""
    if not engine.is_remote:
        return []

    def end_jobs(context: dg.RunStatusSensorContext) -> None:
        for job in engine.cancel_jobs(context.dagster_run.run_id):
            context.log.info("cancelled %s, which run %s has left", job, context.dagster_run.run_id)

    return [
        dg.run_status_sensor(
            run_status=status,
            name=f"end_jobs_of_{status.value.lower()}_runs",
            description="Ends what such a run has left on the cluster.",
            default_status=dg.DefaultSensorStatus.RUNNING,
        )(end_jobs)
        for status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    ]
