"""The matrix P_ij at work: brought in, predicted, laid out, published."""
