"""Inside HERD's first stage: the race, its items, its meter, contamination."""
