"""A fast way to S3: signs, sends and reads the four requests of the hot path. Knows no settings."""
