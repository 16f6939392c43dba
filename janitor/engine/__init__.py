"""Paging, retries, rate limits, concurrency and deadlines, written once for all providers."""
