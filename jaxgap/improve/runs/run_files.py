"""Files of a RUN folder that others look for; its table is `jaxgap.trajectory.read.RUN_TABLE`."""

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
