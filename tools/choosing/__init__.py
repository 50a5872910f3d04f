"""Who is left and who wins: constraints, funnel, comparison, decision."""
