"""What the expressions of all rows share."""

from __future__ import annotations

# What a series is chosen by: of a process, and of a container.
JOB = 'job=~"$job"'
PLACE = f'{JOB}, target=~"$target"'
# Takes off what a restart changes, so that a container counts once, whoever shows it.
OURS = "max without (instance, pod, node)"
EACH = "by (target, provider, container)"
