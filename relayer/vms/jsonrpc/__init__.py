"""What VMs whose nodes speak JSON-RPC share: endpoints, agreement among them, heavy calls, and hints of new heads."""
