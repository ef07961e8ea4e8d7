"""How a service follows the log: leadership, wake-ups, batches in order, single events at once."""
