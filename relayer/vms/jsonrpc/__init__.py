"""What VMs whose nodes speak JSON-RPC share: endpoints, agreement among them, pins, heavy calls, hints of new heads."""
