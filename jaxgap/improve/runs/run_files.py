"""Files of a RUN folder that others look for; its table is `jaxgap.trajectory.read.OWN_FILE`."""

CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.jsonl"
