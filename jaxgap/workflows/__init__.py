"""What needs both halves: a run made by the language model, read by the equations."""
