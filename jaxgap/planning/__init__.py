"""What a run would cost on chips that are not there: its steps, compiled ahead of time."""

from jaxgap.planning.known_models import KNOWN_MODELS, read_decoder_config
from jaxgap.planning.plan import Plan, make_plan
from jaxgap.planning.workload import Workload

__all__ = ["KNOWN_MODELS", "Plan", "Workload", "make_plan", "read_decoder_config"]
