"""The mathematics: arrays and mappings in and out, one method a file, nothing of ours imported."""
