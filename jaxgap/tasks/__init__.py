"""Problems and exact graders; no learned code."""

from jaxgap.tasks.addition import Addition
from jaxgap.tasks.problem import AbstractTask, Problem, TaskSplit

__all__ = ["AbstractTask", "Addition", "Problem", "TaskSplit"]
