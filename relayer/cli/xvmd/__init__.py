"""The program `xvmd`: messages between VMs, by the commands of a chain that carries several."""
