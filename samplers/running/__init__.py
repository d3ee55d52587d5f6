"""A run from the host's side: what is compiled, where chains start, how their draws are taken away, shown and saved."""
