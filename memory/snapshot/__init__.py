"""The bundled facts, compiled by ``python -m memory.snapshot.build`` from stated sources."""
