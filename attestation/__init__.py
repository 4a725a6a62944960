"""XVM attestation: what is signed, by whom, and when it is enough. Pure: no I/O, no clock."""
