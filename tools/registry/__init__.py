"""The registry at the size of the whole Hub: kept up to date, loaded, and looked at."""
