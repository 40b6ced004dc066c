"""Names of tasks and queues: work is requested by name, so services never import tasks."""

QUEUE_REPLICATE = "replicate"
QUEUE_MAINTAIN = "maintain"
TASK_DRAIN_LANE = "replication.tasks.drain_lane"
TASK_SWEEP = "replication.tasks.sweep"
TASK_TRIM_LOG = "replication.tasks.trim_log"
TASK_FORGET = "replication.tasks.forget"
TASK_TIDY = "replication.tasks.tidy"
