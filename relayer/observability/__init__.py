"""What people see of a running relayer: metrics, logs, health. Nothing here decides anything about a request."""
