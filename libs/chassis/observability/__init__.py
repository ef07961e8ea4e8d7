"""What operators see of every process: metrics, traces, the canonical lines of the log."""
