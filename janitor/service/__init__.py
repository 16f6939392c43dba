"""The daemon: when to sweep, what to serve meanwhile, and how to stop."""
