"""How well Mirror does: each module prints one JSON line of measured figures."""
