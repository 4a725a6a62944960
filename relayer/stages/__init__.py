"""claim → decide → commit → perform: the thin shell around the pure core, one stage a file."""
