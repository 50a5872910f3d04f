"""What Mirror knows: records, the registry, scores, findings, money and conversations."""
