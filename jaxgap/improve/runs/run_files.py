"""File names of a RUN folder used elsewhere; the table is `jaxgap.trajectory.read.RUN_TABLE`."""

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
