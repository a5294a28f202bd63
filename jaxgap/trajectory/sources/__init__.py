"""Logs of other tools: read as they are, then narrowed to the columns of a trajectory.

Trainers log sparsely: a row for the training loss, another for the evaluation, the same step twice
after a resumed run. A :class:`~jaxgap.trajectory.sources.log.Log` keeps all of that with its place
in the file; :func:`~jaxgap.trajectory.sources.select.select` makes a trajectory of it and says what
it had to do for that.
"""
