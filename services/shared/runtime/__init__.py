"""The chassis of every process: settings, clock, ids, logs, orderly stop."""
