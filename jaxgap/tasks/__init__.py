"""Problems and exact graders; no learned code.

Public names are imported on first access, so that a task loads only what it needs.
"""

from typing import TYPE_CHECKING

from jaxgap.lazy_names import lazy_names

if TYPE_CHECKING:
    from jaxgap.tasks.addition import Addition
    from jaxgap.tasks.gsm8k import Gsm8k
    from jaxgap.tasks.math_problems import MathProblems
    from jaxgap.tasks.mbpp import Mbpp
    from jaxgap.tasks.named import named_task
    from jaxgap.tasks.problem import (
        NEXT_QUESTION,
        AbstractTask,
        Message,
        Problem,
        Prompt,
        TaskSplit,
        as_messages,
        as_text,
        has_examples,
    )
    from jaxgap.tasks.prompt_answers import PromptAnswers
    from jaxgap.tasks.prontoqa import ProntoQA
    from jaxgap.tasks.reasoning_gym import ReasoningGym

__all__ = [
    "NEXT_QUESTION",
    "AbstractTask",
    "Addition",
    "Gsm8k",
    "MathProblems",
    "Mbpp",
    "Message",
    "Problem",
    "Prompt",
    "PromptAnswers",
    "ProntoQA",
    "ReasoningGym",
    "TaskSplit",
    "as_messages",
    "as_text",
    "has_examples",
    "named_task",
]

_HOMES = {
    "Addition": "addition",
    "Gsm8k": "gsm8k",
    "MathProblems": "math_problems",
    "Mbpp": "mbpp",
    "AbstractTask": "problem",
    "NEXT_QUESTION": "problem",
    "Message": "problem",
    "Problem": "problem",
    "Prompt": "problem",
    "as_messages": "problem",
    "as_text": "problem",
    "has_examples": "problem",
    "named_task": "named",
    "TaskSplit": "problem",
    "PromptAnswers": "prompt_answers",
    "ProntoQA": "prontoqa",
    "ReasoningGym": "reasoning_gym",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
