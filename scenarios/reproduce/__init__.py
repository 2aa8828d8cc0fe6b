"""Every figure, table, theorem and experiment of the five sources beside what this package finds, by one command."""
