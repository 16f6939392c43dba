"""YAML to frozen settings: every problem at once, each with its place and remedy."""
