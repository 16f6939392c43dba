"""What several suites share: the sandbox, made ready for each provider, and a listening ear."""
