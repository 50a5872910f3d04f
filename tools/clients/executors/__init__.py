"""Where arms are measured: processes of this machine, or the nodes of a Ray cluster."""
