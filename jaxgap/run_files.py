"""Names of the files in a RUN folder, as `jaxgap.improve.runs.run_folder` describes them.

This module imports nothing, so that commands can look for a run before NumPy and JAX are loaded.
"""

CONFIG_FILE = "config.json"
OWN_PARTS_FILE = "own_parts.json"
VERSIONS_FILE = "versions.json"
METRICS_FILE = "metrics.jsonl"
TIMINGS_FILE = "timings.jsonl"
RUN_TABLE = "trajectory.csv"
CHECKPOINTS_FOLDER = "checkpoints"
NOTES_FILE = "notes.jsonl"
LOCK_FILE = "run.lock"
