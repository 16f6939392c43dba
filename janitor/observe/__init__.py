"""What happened, told once and heard by many: logs, metrics, reports."""
