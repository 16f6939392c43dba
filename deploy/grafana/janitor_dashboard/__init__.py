"""The rows of the dashboard, and the panels that they are made of."""
