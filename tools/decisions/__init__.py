"""Decisions after they were made: recomputed from their records, watched, re-opened."""
