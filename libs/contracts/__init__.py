"""The published language: events, verification outcomes. What two services agree on, and nothing else."""
