"""The virtual machines that a relayer speaks to, one folder each. No folder knows another."""
