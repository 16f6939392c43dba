"""Tells what a sweep found and did: for programs as JSON and CSV, for people as tables."""
