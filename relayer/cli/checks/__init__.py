"""What `xvm doctor` looks at, a module a subject. Checks look, and change nothing."""
