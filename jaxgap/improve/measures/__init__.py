"""What is measured at a checkpoint: capabilities with errors, judgement, collapse, cost."""
