"""What the verbs of the command line do; imported only when a verb is used."""
