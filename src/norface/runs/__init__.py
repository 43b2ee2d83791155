"""Many trainings from one file: variants of configurations, each run in a process and folder of its own, resumable."""
