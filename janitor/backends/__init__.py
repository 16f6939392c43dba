"""Runs the pieces of a sweep in other processes, on this machine or on others."""
