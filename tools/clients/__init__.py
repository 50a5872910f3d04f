"""The outside world behind small protocols: embedders, evaluation back ends, fakes of each."""
