"""Names of tasks and queues: work is requested by name, so services never import tasks."""

QUEUE_REPLICATE = "replicate"
QUEUE_MAINTAIN = "maintain"
TASK_DRAIN_LANE = "replication.tasks.drain_lane"
TASK_SWEEP = "replication.tasks.sweep"
TASK_TRIM_LOG = "replication.tasks.trim_log"
TASK_HEAL = "replication.tasks.heal"
TASK_SCRUB = "replication.tasks.scrub"
