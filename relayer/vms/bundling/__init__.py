"""What VMs share whose gateways take several batches in one transaction: packing, and trying before sending."""
