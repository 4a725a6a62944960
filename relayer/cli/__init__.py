"""The command line: `xvm`. It sits above everything else, decides nothing about a request, and keeps no state."""
