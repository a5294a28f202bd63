"""Logs of other tools: read as they are, then narrowed to the columns of a trajectory.

Trainers log sparsely: one row for the training loss, another for the evaluation, the same step
twice after a resumed run. A :class:`~jaxgap.trajectory.sources.log.Log` keeps all of that with its
place in the file; :func:`~jaxgap.trajectory.sources.select.select` converts it to a trajectory and
reports what that required.
"""
