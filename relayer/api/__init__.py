"""The node's HTTP port: messages of peers come in, and people look. Nothing here changes the state of a request."""
